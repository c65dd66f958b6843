package hopper;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

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
import org.elasticsearch.cluster.metadata.MetadataDataStreamsService;
import org.elasticsearch.cluster.metadata.ProjectId; // only 9
import org.elasticsearch.cluster.service.ClusterService;
import org.elasticsearch.common.regex.Regex;
import org.elasticsearch.common.settings.Settings;
import org.elasticsearch.index.IndexNotFoundException;
import org.elasticsearch.index.IndexVersion;
import org.elasticsearch.node.Node;
import org.elasticsearch.rest.BaseRestHandler;
import org.elasticsearch.rest.RestChannel;
import org.elasticsearch.rest.RestHandler;
import org.elasticsearch.rest.RestRequest;
import org.elasticsearch.rest.RestRequest.Method;
import org.elasticsearch.rest.RestResponse;
import org.elasticsearch.rest.RestStatus;
import org.elasticsearch.xcontent.XContentBuilder;

/** The requests that the missing modules would answer, answered by what the server can do. */
class Requests {
    private static final String ALL_STREAMS = "/_data_stream";
    private static final String ONE_STREAM = "/_data_stream/{name}";

    private final ClusterService cluster;
    private final Client client;

    Requests(ClusterService cluster, Client client) {
        this.cluster = cluster;
        this.client = client;
    }

    Collection<RestHandler> handlers() {
        return List.of(
            new Handler("root", List.of(Method.GET, Method.HEAD), "/", this::tellWhoThisIs),
            new Handler("list_all", List.of(Method.GET), ALL_STREAMS, this::listDataStreams),
            new Handler("list", List.of(Method.GET), ONE_STREAM, this::listDataStreams),
            new Handler("create", List.of(Method.PUT), ONE_STREAM, this::createDataStream),
            new Handler("delete", List.of(Method.DELETE), ONE_STREAM, this::deleteDataStreams),
            new Lifecycles(cluster));
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
            request.param("expand_wildcards"); // a parameter that is never read is refused
            return channel -> answer.to(name, channel);
        }
    }

    interface Step {
        void run() throws Exception;
    }

    static <T> ActionListener<T> then(RestChannel channel, Step step) {
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

    static void acknowledge(RestChannel channel) throws IOException {
        XContentBuilder body = channel.newBuilder().startObject();
        body.field("acknowledged", true).endObject();
        channel.sendResponse(new RestResponse(RestStatus.OK, body));
    }

    static void fail(RestChannel channel, Exception error) {
        try {
            channel.sendResponse(new RestResponse(channel, error));
        } catch (IOException unanswerable) {
            throw new UncheckedIOException(unanswerable);
        }
    }
}
