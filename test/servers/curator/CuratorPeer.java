// A member of a Curator fleet: registers one instance and prints the list of its service's instances at each change.
//
//   java CuratorPeer.java HOST:PORT BASE SERVICE
//
// Each line has the instances as `id address port url`, separated by `;`. It ends with its standard input.
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.stream.Collectors;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.CuratorFrameworkFactory;
import org.apache.curator.framework.state.ConnectionState;
import org.apache.curator.retry.RetryOneTime;
import org.apache.curator.x.discovery.ServiceCache;
import org.apache.curator.x.discovery.ServiceDiscovery;
import org.apache.curator.x.discovery.ServiceDiscoveryBuilder;
import org.apache.curator.x.discovery.ServiceInstance;
import org.apache.curator.x.discovery.UriSpec;
import org.apache.curator.x.discovery.details.ServiceCacheListener;

public class CuratorPeer {
  public static void main(String[] args) throws Exception {
    String service = args[2];
    try (CuratorFramework client =
        CuratorFrameworkFactory.newClient(args[0], 5000, 5000, new RetryOneTime(500))) {
      client.start();
      Map<String, Object> payload = new LinkedHashMap<>();
      payload.put("metadata", Map.of("zone", "java"));
      // A fleet whose payload is of a class of its own: it must accept our records nevertheless.
      try (ServiceDiscovery<LinkedHashMap> discovery =
          ServiceDiscoveryBuilder.builder(LinkedHashMap.class)
              .client(client)
              .basePath(args[1])
              .thisInstance(
                  ServiceInstance.<LinkedHashMap>builder()
                      .name(service)
                      .id("java-1")
                      .address("127.0.0.1")
                      .port(9999)
                      .payload(new LinkedHashMap<>(payload))
                      .uriSpec(new UriSpec("{scheme}://{address}:{port}"))
                      .build())
              .build()) {
        discovery.start();
        try (ServiceCache<LinkedHashMap> cache =
            discovery.serviceCacheBuilder().name(service).build()) {
          cache.addListener(
              new ServiceCacheListener() {
                public void cacheChanged() {
                  print(cache);
                }

                public void stateChanged(CuratorFramework ignored, ConnectionState state) {}
              });
          cache.start();
          print(cache);
          while (System.in.read() >= 0) {}
        }
      }
    }
  }

  private static synchronized void print(ServiceCache<LinkedHashMap> cache) {
    System.out.println(
        cache.getInstances().stream()
            .sorted(Comparator.comparing(ServiceInstance::getId))
            .map(CuratorPeer::describe)
            .collect(Collectors.joining(";")));
  }

  private static String describe(ServiceInstance<LinkedHashMap> instance) {
    String id = instance.getId();
    return id + " " + instance.getAddress() + " " + instance.getPort() + " " + instance.buildUriSpec();
  }
}
