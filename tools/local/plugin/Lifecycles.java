package hopper;

import java.io.IOException;
import java.util.List;
import java.util.Map;

import org.elasticsearch.cluster.ClusterState;
import org.elasticsearch.cluster.ClusterStateUpdateTask;
import org.elasticsearch.cluster.metadata.DataStream;
import org.elasticsearch.cluster.metadata.DataStreamLifecycle;
import org.elasticsearch.cluster.metadata.Metadata; // only 8
import org.elasticsearch.cluster.metadata.ProjectId; // only 9
import org.elasticsearch.cluster.metadata.ProjectMetadata; // only 9
import org.elasticsearch.cluster.service.ClusterService;
import org.elasticsearch.common.xcontent.XContentHelper;
import org.elasticsearch.core.TimeValue;
import org.elasticsearch.client.internal.node.NodeClient;
import org.elasticsearch.index.IndexNotFoundException;
import org.elasticsearch.rest.BaseRestHandler;
import org.elasticsearch.rest.RestChannel;
import org.elasticsearch.rest.RestRequest;
import org.elasticsearch.rest.RestRequest.Method;
import org.elasticsearch.rest.RestResponse;
import org.elasticsearch.rest.RestStatus;
import org.elasticsearch.xcontent.ToXContent;
import org.elasticsearch.xcontent.XContentBuilder;

/** The lifecycle of a data stream: kept in the state of the cluster; no document is deleted. */
class Lifecycles extends BaseRestHandler {
    private static final String PATH = "/_data_stream/{name}/_lifecycle";

    private final ClusterService cluster;

    Lifecycles(ClusterService cluster) {
        this.cluster = cluster;
    }

    @Override
    public String getName() {
        return "stand_in_lifecycle";
    }

    @Override
    public List<Route> routes() {
        return List.of(new Route(Method.GET, PATH), new Route(Method.PUT, PATH));
    }

    @Override
    protected RestChannelConsumer prepareRequest(RestRequest request, NodeClient node) {
        String name = request.param("name");
        if (request.method() == Method.GET) return channel -> show(name, channel);
        Map<String, Object> body = request.hasContent()
            ? XContentHelper.convertToMap(request.content(), false, request.getXContentType()).v2()
            : Map.of();
        return channel -> change(name, (String) body.get("data_retention"), channel);
    }

    private void show(String name, RestChannel channel) throws IOException {
        DataStreamLifecycle lifecycle = stream(cluster.state(), name).getDataLifecycle();
        XContentBuilder body = channel.newBuilder().startObject().startArray("data_streams");
        body.startObject().field("name", name);
        if (lifecycle != null) {
            body.field("lifecycle");
            lifecycle.toXContent(body, ToXContent.EMPTY_PARAMS);
        }
        body.endObject().endArray().endObject();
        channel.sendResponse(new RestResponse(RestStatus.OK, body));
    }

    private void change(String name, String retention, RestChannel channel) {
        DataStreamLifecycle.Builder builder = DataStreamLifecycle.dataLifecycleBuilder();
        if (retention != null) {
            builder.dataRetention(TimeValue.parseTimeValue(retention, "data_retention"));
        }
        DataStreamLifecycle lifecycle = builder.build();
        cluster.submitUnbatchedStateUpdateTask("change lifecycle", new ClusterStateUpdateTask() {
            @Override
            public ClusterState execute(ClusterState state) {
                DataStream changed = stream(state, name).copy().setLifecycle(lifecycle).build();
                ProjectMetadata project = state.metadata().getProject(ProjectId.DEFAULT); // only 9
                ProjectMetadata.Builder after = ProjectMetadata.builder(project); // only 9
                Metadata.Builder after = Metadata.builder(state.metadata()); // only 8
                after.put(changed);
                return ClusterState.builder(state)
                    .putProjectMetadata(after) // only 9
                    .metadata(after) // only 8
                    .build();
            }

            @Override
            public void onFailure(Exception error) {
                Requests.fail(channel, error);
            }

            @Override
            public void clusterStateProcessed(ClusterState before, ClusterState after) {
                Requests.then(channel, () -> Requests.acknowledge(channel)).onResponse(null);
            }
        });
    }

    private static DataStream stream(ClusterState state, String name) {
        DataStream found = state.metadata()
            .getProject(ProjectId.DEFAULT) // only 9
            .dataStreams()
            .get(name);
        if (found == null) throw new IndexNotFoundException(name);
        return found;
    }
}
