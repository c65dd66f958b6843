package hopper;

import static org.elasticsearch.ingest.ConfigurationUtils.readBooleanProperty;
import static org.elasticsearch.ingest.ConfigurationUtils.readObject;
import static org.elasticsearch.ingest.ConfigurationUtils.readStringProperty;

import java.util.Map;

import org.elasticsearch.ingest.AbstractProcessor;
import org.elasticsearch.ingest.IngestDocument;
import org.elasticsearch.ingest.Processor;

/** The ingest processors set, remove, drop and fail, without templates and without "if". */
class Processors {
    private Processors() {}

    static Map<String, Processor.Factory> all() {
        return Map.of(
            "set", factory("set", Processors::set),
            "remove", factory("remove", Processors::remove),
            "drop", factory("drop", (tag, options) -> document -> null),
            "fail", factory("fail", Processors::refuse));
    }

    private static Change set(String tag, Map<String, Object> options) {
        String field = readStringProperty("set", tag, options, "field");
        Object value = readObject("set", tag, options, "value");
        boolean override = readBooleanProperty("set", tag, options, "override", true);
        return document -> {
            if (override || document.hasField(field) == false) document.setFieldValue(field, value);
            return document;
        };
    }

    private static Change remove(String tag, Map<String, Object> options) {
        String field = readStringProperty("remove", tag, options, "field");
        boolean lenient = readBooleanProperty("remove", tag, options, "ignore_missing", false);
        return document -> {
            if (lenient == false || document.hasField(field)) document.removeField(field);
            return document;
        };
    }

    private static Change refuse(String tag, Map<String, Object> options) {
        String message = readStringProperty("fail", tag, options, "message");
        return document -> {
            throw new FailProcessorException(message);
        };
    }

    /** Named as the real one: clients see the name as fail_processor_exception. */
    public static class FailProcessorException extends RuntimeException {
        FailProcessorException(String message) {
            super(message);
        }
    }

    private interface Change {
        IngestDocument of(IngestDocument document) throws Exception;
    }

    private interface Configured {
        Change by(String tag, Map<String, Object> options);
    }

    private static Processor.Factory factory(String type, Configured configured) {
        return (
            others,
            tag,
            description,
            options // only 8
            options, // only 9
            project // only 9
        ) -> processor(type, tag, description, configured.by(tag, options));
    }

    private static Processor processor(String type, String tag, String description, Change change) {
        return new AbstractProcessor(tag, description) {
            @Override
            public IngestDocument execute(IngestDocument document) throws Exception {
                return change.of(document);
            }

            @Override
            public String getType() {
                return type;
            }
        };
    }
}
