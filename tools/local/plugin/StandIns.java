/*
 * Stands in for the modules of Elasticsearch that its distribution on Maven Central lacks, as far
 * as writing documents needs them. For tests and trials only; everything else (bulk, mappings,
 * templates, backing indices, pipelines, back-pressure, security) is the server's own code.
 *
 *   GET, HEAD /                           as the real one
 *   GET, PUT, DELETE /_data_stream/...    real data streams; GET tells less than the real one
 *   GET, PUT /_data_stream/x/_lifecycle   kept and shown; no document is deleted
 *   failure stores of data streams        switched on; match_only_text is plain text in them
 *   processors set, remove, drop, fail    without templates and without "if"
 *   two parts of text analysis            without which API keys and roles cannot be stored
 *
 * A line that ends in "// only N" is compiled for that major version of Elasticsearch alone.
 */
package hopper;

import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.function.Predicate;
import java.util.function.Supplier;

import org.elasticsearch.cluster.metadata.IndexNameExpressionResolver; // only 8
import org.elasticsearch.cluster.node.DiscoveryNodes;
import org.elasticsearch.common.io.stream.NamedWriteableRegistry; // only 8
import org.elasticsearch.common.settings.ClusterSettings; // only 8
import org.elasticsearch.common.settings.IndexScopedSettings; // only 8
import org.elasticsearch.common.settings.Settings;
import org.elasticsearch.common.settings.SettingsFilter; // only 8
import org.elasticsearch.features.NodeFeature;
import org.elasticsearch.index.analysis.PreConfiguredTokenFilter;
import org.elasticsearch.index.analysis.PreConfiguredTokenizer;
import org.elasticsearch.index.analysis.TokenFilterFactory;
import org.elasticsearch.index.mapper.Mapper;
import org.elasticsearch.index.mapper.TextFieldMapper;
import org.elasticsearch.indices.analysis.AnalysisModule.AnalysisProvider;
import org.elasticsearch.ingest.Processor;
import org.elasticsearch.plugins.ActionPlugin;
import org.elasticsearch.plugins.AnalysisPlugin;
import org.elasticsearch.plugins.IngestPlugin;
import org.elasticsearch.plugins.MapperPlugin;
import org.elasticsearch.plugins.Plugin;
import org.elasticsearch.rest.RestController; // only 8
import org.elasticsearch.rest.RestHandler;

public class StandIns extends Plugin
        implements ActionPlugin, IngestPlugin, AnalysisPlugin, MapperPlugin {
    private Requests requests;

    @Override
    public Collection<?> createComponents(PluginServices services) {
        requests = new Requests(services.clusterService(), services.client());
        return List.of();
    }

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
        return requests.handlers();
    }

    @Override
    public Map<String, Processor.Factory> getProcessors(Processor.Parameters parameters) {
        return Processors.all();
    }

    @Override
    public Map<String, AnalysisProvider<TokenFilterFactory>> getTokenFilters() {
        return Analysis.tokenFilters();
    }

    @Override
    public List<PreConfiguredTokenFilter> getPreConfiguredTokenFilters() {
        return Analysis.readyTokenFilters();
    }

    @Override
    public List<PreConfiguredTokenizer> getPreConfiguredTokenizers() {
        return Analysis.readyTokenizers();
    }
    @Override
    public Map<String, Mapper.TypeParser> getMappers() {
        return Map.of("match_only_text", TextFieldMapper.PARSER);
    }
}
