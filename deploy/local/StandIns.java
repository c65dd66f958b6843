/*
 * Stands in for the modules of Elasticsearch that its distribution on Maven Central lacks, as far
 * as writing documents needs them. For tests and trials only; everything else (bulk, mappings,
 * templates, backing indices, pipelines, back-pressure, security) is the server's own code.
 *
 *   GET, HEAD /                           as the real one
 *   GET, PUT, DELETE /_data_stream/...    real data streams; GET tells less than the real one
 *   processors set, remove, drop, fail    without templates and without "if"
 *   two parts of text analysis            without which API keys and roles cannot be stored
 *
 * A line that ends in "// only N" is compiled for that major version of Elasticsearch alone.
 */
package hopper;

import static org.elasticsearch.ingest.ConfigurationUtils.readBooleanProperty;
import static org.elasticsearch.ingest.ConfigurationUtils.readObject;
import static org.elasticsearch.ingest.ConfigurationUtils.readStringProperty;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Predicate;
import java.util.function.Supplier;
import java.util.regex.Pattern;

import org.apache.lucene.analysis.CharArraySet;
import org.apache.lucene.analysis.FilteringTokenFilter;
import org.apache.lucene.analysis.TokenStream;
import org.apache.lucene.analysis.email.UAX29URLEmailTokenizer;
import org.apache.lucene.analysis.pattern.PatternCaptureGroupTokenFilter;
import org.apache.lucene.analysis.tokenattributes.CharTermAttribute;
import org.elasticsearch.Build;
import org.elasticsearch.ResourceAlreadyExistsException;
import org.elasticsearch.action.ActionListener;
import org.elasticsearch.action.admin.indices.create.AutoCreateAction;
import org.elasticsearch.action.admin.indices.create.CreateIndexRequest;
import org.elasticsearch.action.admin.indices.delete.DeleteIndexRequest;
import org.elasticsearch.client.internal.Client;
import org.elasticsearch.client.internal.node.NodeClient;
import org.elasticsearch.cluster.ClusterState;
import org.elasticsearch.cluster.ClusterStateUpdateTask;
import org.elasticsearch.cluster.metadata.DataStream;
import org.elasticsearch.cluster.metadata.IndexNameExpressionResolver; // only 8
import org.elasticsearch.cluster.metadata.MetadataDataStreamsService;
import org.elasticsearch.cluster.metadata.ProjectId; // only 9
import org.elasticsearch.cluster.node.DiscoveryNodes;
import org.elasticsearch.cluster.service.ClusterService;
import org.elasticsearch.common.io.stream.NamedWriteableRegistry; // only 8
import org.elasticsearch.common.regex.Regex;
import org.elasticsearch.common.settings.ClusterSettings; // only 8
import org.elasticsearch.common.settings.IndexScopedSettings; // only 8
import org.elasticsearch.common.settings.Settings;
import org.elasticsearch.common.settings.SettingsFilter; // only 8
import org.elasticsearch.features.NodeFeature;
import org.elasticsearch.index.IndexNotFoundException;
import org.elasticsearch.index.IndexVersion;
import org.elasticsearch.index.analysis.PreConfiguredTokenFilter;
import org.elasticsearch.index.analysis.PreConfiguredTokenizer;
import org.elasticsearch.index.analysis.TokenFilterFactory;
import org.elasticsearch.indices.analysis.AnalysisModule.AnalysisProvider;
import org.elasticsearch.ingest.AbstractProcessor;
import org.elasticsearch.ingest.IngestDocument;
import org.elasticsearch.ingest.Processor;
import org.elasticsearch.node.Node;
import org.elasticsearch.plugins.ActionPlugin;
import org.elasticsearch.plugins.AnalysisPlugin;
import org.elasticsearch.plugins.IngestPlugin;
import org.elasticsearch.plugins.Plugin;
import org.elasticsearch.rest.BaseRestHandler;
import org.elasticsearch.rest.RestChannel;
import org.elasticsearch.rest.RestController; // only 8
import org.elasticsearch.rest.RestHandler;
import org.elasticsearch.rest.RestRequest;
import org.elasticsearch.rest.RestRequest.Method;
import org.elasticsearch.rest.RestResponse;
import org.elasticsearch.rest.RestStatus;
import org.elasticsearch.xcontent.XContentBuilder;

public class StandIns extends Plugin implements ActionPlugin, IngestPlugin, AnalysisPlugin {
    private static final String ALL_STREAMS = "/_data_stream";
    private static final String ONE_STREAM = "/_data_stream/{name}";

    private ClusterService cluster;
    private Client client;

    @Override
    public Collection<?> createComponents(PluginServices services) {
        cluster = services.clusterService();
        client = services.client();
        return List.of();
    }

    // Requests

    @Override
    public Collection<RestHandler> getRestHandlers(
            RestHandlersServices services, // only 9
            Settings settings, // only 8
            NamedWriteableRegistry registry, // only 8
            RestController controller, // only 8
            ClusterSettings clusterSettings, // only 8
            IndexScopedSettings indexSettings, // only 8
            SettingsFilter filter, // only 8
            IndexNameExpressionResolver resolver, // only 8
            Supplier<DiscoveryNodes> nodes,
            Predicate<NodeFeature> features) {
        return List.of(
            new Handler("root", List.of(Method.GET, Method.HEAD), "/", this::tellWhoThisIs),
            new Handler("list_all", List.of(Method.GET), ALL_STREAMS, this::listDataStreams),
            new Handler("list", List.of(Method.GET), ONE_STREAM, this::listDataStreams),
            new Handler("create", List.of(Method.PUT), ONE_STREAM, this::createDataStream),
            new Handler("delete", List.of(Method.DELETE), ONE_STREAM, this::deleteDataStreams));
    }

    private void tellWhoThisIs(String ignored, RestChannel channel) throws IOException {
        Build build = Build.current();
        XContentBuilder body = channel.newBuilder().prettyPrint().startObject();
        body.field("name", Node.NODE_NAME_SETTING.get(cluster.getSettings()));
        body.field("cluster_name", cluster.getClusterName().value());
        body.field("cluster_uuid", cluster.state().metadata().clusterUUID());
        body.startObject("version");
        body.field("number", build.qualifiedVersion());
        body.field("build_flavor", build.flavor());
        body.field("build_type", build.type().displayName());
        body.field("build_hash", build.hash());
        body.field("build_date", build.date());
        body.field("build_snapshot", build.isSnapshot());
        body.field("lucene_version", IndexVersion.current().luceneVersion().toString());
        body.field("minimum_wire_compatibility_version", build.minWireCompatVersion());
        body.field("minimum_index_compatibility_version", build.minIndexCompatVersion());
        body.endObject().field("tagline", "You Know, for Search").endObject();
        channel.sendResponse(new RestResponse(RestStatus.OK, body));
    }

    private void listDataStreams(String names, RestChannel channel) throws IOException {
        XContentBuilder body = channel.newBuilder().startObject().startArray("data_streams");
        for (DataStream stream : dataStreams(names)) {
            body.startObject().field("name", stream.getName());
            body.startObject("timestamp_field").field("name", "@timestamp").endObject();
            body.startArray("indices");
            for (var index : stream.getIndices()) {
                body.startObject().field("index_name", index.getName());
                body.field("index_uuid", index.getUUID()).endObject();
            }
            body.endArray().field("generation", stream.getGeneration());
            body.field("hidden", stream.isHidden()).endObject();
        }
        channel.sendResponse(new RestResponse(RestStatus.OK, body.endArray().endObject()));
    }

    private void createDataStream(String name, RestChannel channel) {
        if (dataStreams().containsKey(name)) {
            throw new ResourceAlreadyExistsException("data_stream [" + name + "] already exists");
        }
        CreateIndexRequest request = new CreateIndexRequest(name);
        client.execute(AutoCreateAction.INSTANCE, request, then(channel, () -> {
            if (dataStreams().containsKey(name)) acknowledge(channel);
            else takeBackIndex(name, channel);
        }));
    }

    /** No template makes a data stream of the name, so an index was created. */
    private void takeBackIndex(String name, RestChannel channel) {
        String reason = "no matching index template found for data stream [" + name + "]";
        client.admin().indices().delete(new DeleteIndexRequest(name), then(channel, () -> {
            throw new IllegalArgumentException(reason);
        }));
    }

    private void deleteDataStreams(String names, RestChannel channel) {
        Set<DataStream> doomed = new HashSet<>(dataStreams(names));
        Settings settings = cluster.getSettings();
        cluster.submitUnbatchedStateUpdateTask("delete streams", new ClusterStateUpdateTask() {
            @Override
            public ClusterState execute(ClusterState state) {
                if (doomed.isEmpty()) return state;
                return MetadataDataStreamsService.deleteDataStreams(
                    state.projectState(ProjectId.DEFAULT), // only 9
                    state, // only 8
                    doomed,
                    settings);
            }

            @Override
            public void onFailure(Exception error) {
                fail(channel, error);
            }

            @Override
            public void clusterStateProcessed(ClusterState before, ClusterState after) {
                then(channel, () -> acknowledge(channel)).onResponse(null);
            }
        });
    }

    private Map<String, DataStream> dataStreams() {
        return cluster.state().metadata().getProject(ProjectId.DEFAULT).dataStreams(); // only 9
        return cluster.state().metadata().dataStreams(); // only 8
    }

    private List<DataStream> dataStreams(String names) {
        List<DataStream> found = new ArrayList<>();
        for (String name : names.split(",")) {
            String pattern = name.equals("_all") ? "*" : name;
            int before = found.size();
            for (DataStream stream : dataStreams().values()) {
                if (Regex.simpleMatch(pattern, stream.getName())) found.add(stream);
            }
            boolean missing = found.size() == before && pattern.contains("*") == false;
            if (missing) throw new IndexNotFoundException(name);
        }
        return found;
    }

    private interface Answer {
        void to(String name, RestChannel channel) throws Exception;
    }

    private static class Handler extends BaseRestHandler {
        private final String name;
        private final List<Route> routes;
        private final Answer answer;

        Handler(String name, List<Method> methods, String path, Answer answer) {
            this.name = "stand_in_" + name;
            this.routes = methods.stream().map(method -> new Route(method, path)).toList();
            this.answer = answer;
        }

        @Override
        public String getName() {
            return name;
        }

        @Override
        public List<Route> routes() {
            return routes;
        }

        @Override
        protected RestChannelConsumer prepareRequest(RestRequest request, NodeClient node) {
            String name = request.param("name", "*");
            request.param("expand_wildcards"); // a parameter that nobody reads is refused
            return channel -> answer.to(name, channel);
        }
    }

    private interface Step {
        void run() throws Exception;
    }

    private static <T> ActionListener<T> then(RestChannel channel, Step step) {
        return new ActionListener<>() {
            @Override
            public void onResponse(T ignored) {
                try {
                    step.run();
                } catch (Exception error) {
                    fail(channel, error);
                }
            }

            @Override
            public void onFailure(Exception error) {
                fail(channel, error);
            }
        };
    }

    private static void acknowledge(RestChannel channel) throws IOException {
        XContentBuilder body = channel.newBuilder().startObject();
        body.field("acknowledged", true).endObject();
        channel.sendResponse(new RestResponse(RestStatus.OK, body));
    }

    private static void fail(RestChannel channel, Exception error) {
        try {
            channel.sendResponse(new RestResponse(channel, error));
        } catch (IOException unanswerable) {
            throw new UncheckedIOException(unanswerable);
        }
    }

    // Ingest processors

    @Override
    public Map<String, Processor.Factory> getProcessors(Processor.Parameters parameters) {
        return Map.of(
            "set", factory("set", this::set),
            "remove", factory("remove", this::remove),
            "drop", factory("drop", (tag, options) -> document -> null),
            "fail", factory("fail", this::refuse));
    }

    private Change set(String tag, Map<String, Object> options) {
        String field = readStringProperty("set", tag, options, "field");
        Object value = readObject("set", tag, options, "value");
        boolean override = readBooleanProperty("set", tag, options, "override", true);
        return document -> {
            if (override || document.hasField(field) == false) document.setFieldValue(field, value);
            return document;
        };
    }

    private Change remove(String tag, Map<String, Object> options) {
        String field = readStringProperty("remove", tag, options, "field");
        boolean lenient = readBooleanProperty("remove", tag, options, "ignore_missing", false);
        return document -> {
            if (lenient == false || document.hasField(field)) document.removeField(field);
            return document;
        };
    }

    private Change refuse(String tag, Map<String, Object> options) {
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

    // Text analysis, for the index in which the server keeps API keys and roles

    @Override
    public Map<String, AnalysisProvider<TokenFilterFactory>> getTokenFilters() {
        return Map.of("pattern_capture", AnalysisPlugin.requiresAnalysisSettings(
            (index, environment, name, settings) -> patternCapture(name, settings)));
    }

    private static TokenFilterFactory patternCapture(String name, Settings settings) {
        boolean keep = settings.getAsBoolean("preserve_original", true);
        List<String> written = settings.getAsList("patterns");
        Pattern[] patterns = written.stream().map(Pattern::compile).toArray(Pattern[]::new);
        return new TokenFilterFactory() {
            @Override
            public String name() {
                return name;
            }

            @Override
            public TokenStream create(TokenStream input) {
                return new PatternCaptureGroupTokenFilter(input, keep, patterns);
            }
        };
    }

    @Override
    public List<PreConfiguredTokenFilter> getPreConfiguredTokenFilters() {
        return List.of(PreConfiguredTokenFilter.singleton("unique", false, Unique::new));
    }

    @Override
    public List<PreConfiguredTokenizer> getPreConfiguredTokenizers() {
        return List.of(
            PreConfiguredTokenizer.singleton("uax_url_email", UAX29URLEmailTokenizer::new));
    }

    /** Drops a token that the same text has had before. */
    private static final class Unique extends FilteringTokenFilter {
        private final CharTermAttribute term = addAttribute(CharTermAttribute.class);
        private final CharArraySet seen = new CharArraySet(8, false);

        Unique(TokenStream input) {
            super(input);
        }

        @Override
        protected boolean accept() {
            return seen.add(term.toString());
        }

        @Override
        public void reset() throws IOException {
            super.reset();
            seen.clear();
        }
    }
}
