package phantomtoken;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.security.cert.CertificateFactory;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.apache.catalina.connector.Connector;
import org.apache.coyote.http11.Http11NioProtocol;
import org.apache.tomcat.util.net.SSLHostConfig;
import org.apache.tomcat.util.net.SSLHostConfigCertificate;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.SpringBootApplication;
import org.springframework.boot.web.embedded.tomcat.TomcatServletWebServerFactory;
import org.springframework.boot.web.server.WebServerFactoryCustomizer;
import org.springframework.context.annotation.Bean;
import org.springframework.security.oauth2.core.AuthorizationGrantType;
import org.springframework.security.oauth2.core.ClientAuthenticationMethod;
import org.springframework.security.oauth2.jose.jws.JwsAlgorithm;
import org.springframework.security.oauth2.jose.jws.MacAlgorithm;
import org.springframework.security.oauth2.jose.jws.SignatureAlgorithm;
import org.springframework.security.oauth2.server.authorization.client.InMemoryRegisteredClientRepository;
import org.springframework.security.oauth2.server.authorization.client.RegisteredClient;
import org.springframework.security.oauth2.server.authorization.client.RegisteredClientRepository;
import org.springframework.security.oauth2.server.authorization.settings.ClientSettings;
import org.springframework.security.oauth2.server.authorization.settings.OAuth2TokenFormat;
import org.springframework.security.oauth2.server.authorization.settings.TokenSettings;
import org.springframework.security.oauth2.server.authorization.token.OAuth2TokenClaimsContext;
import org.springframework.security.oauth2.server.authorization.token.OAuth2TokenCustomizer;

/**
 * Spring Authorization Server with opaque access tokens. The working directory may have clients.json, an array of further
 * clients (RFC 7591), and a folder tls with ca.pem, server.pem, server.key and the file port: there it asks for client
 * certificates (RFC 8705).
 */
@SpringBootApplication
public class AuthorizationServer {
    public static void main(String[] arguments) {
        SpringApplication.run(AuthorizationServer.class, arguments);
    }

    @Bean
    RegisteredClientRepository clients() throws IOException {
        List<RegisteredClient> clients = new ArrayList<>();
        clients.add(client("app", "{noop}app-secret", "client_secret_basic", Duration.ofMinutes(10)).build());
        clients.add(client("short", "{noop}short-secret", "client_secret_basic", Duration.ofSeconds(2)).build());
        clients.add(client("gateway", "{noop}gateway-secret", "client_secret_basic", Duration.ofMinutes(10)).build());
        clients.add(client("gateway-odd", "{noop}o+d d%/&=s", "client_secret_basic", Duration.ofMinutes(10)).build());
        Path further = Path.of("clients.json");
        if (Files.exists(further)) {
            for (JsonNode registration : new ObjectMapper().readTree(further.toFile())) {
                clients.add(registered(registration));
            }
        }
        return new InMemoryRegisteredClientRepository(clients);
    }

    private static RegisteredClient.Builder client(String id, String secret, String method, Duration lifetime) {
        return RegisteredClient.withId(id).clientId(id).clientSecret(secret)
            .clientAuthenticationMethod(new ClientAuthenticationMethod(method))
            .authorizationGrantType(AuthorizationGrantType.CLIENT_CREDENTIALS).scope("read").scope("write")
            .tokenSettings(TokenSettings.builder().accessTokenFormat(OAuth2TokenFormat.REFERENCE)
                .accessTokenTimeToLive(lifetime).build());
    }

    private static RegisteredClient registered(JsonNode registration) {
        String method = registration.get("token_endpoint_auth_method").asText();
        String secret = registration.path("client_secret").asText(null);
        // A secret that is only compared may be a digest, which the prefix tells; one that signs is the key itself.
        boolean compared = method.equals("client_secret_basic") || method.equals("client_secret_post");
        ClientSettings.Builder settings = ClientSettings.builder();
        if (registration.has("jwks_uri")) {
            settings.jwkSetUrl(registration.get("jwks_uri").asText());
        }
        if (registration.has("token_endpoint_auth_signing_alg")) {
            settings.tokenEndpointAuthenticationSigningAlgorithm(
                algorithm(registration.get("token_endpoint_auth_signing_alg").asText()));
        }
        if (registration.has("tls_client_auth_subject_dn")) {
            settings.x509CertificateSubjectDN(registration.get("tls_client_auth_subject_dn").asText());
        }
        return client(registration.get("client_id").asText(), compared ? "{noop}" + secret : secret, method,
            Duration.ofMinutes(10)).clientSettings(settings.build()).build();
    }

    private static JwsAlgorithm algorithm(String name) {
        return name.startsWith("HS") ? MacAlgorithm.from(name) : SignatureAlgorithm.from(name);
    }

    /** A claim of ours in what introspection answers. */
    @Bean
    OAuth2TokenCustomizer<OAuth2TokenClaimsContext> roles() {
        return context -> context.getClaims().claim("roles", List.of("editor"));
    }

    @Bean
    WebServerFactoryCustomizer<TomcatServletWebServerFactory> mutualTls() throws IOException, GeneralSecurityException {
        Path folder = Path.of("tls").toAbsolutePath();
        if (!Files.exists(folder)) {
            return factory -> { };
        }
        Connector connector = connector(folder);
        return factory -> factory.addAdditionalTomcatConnectors(connector);
    }

    private static Connector connector(Path folder) throws IOException, GeneralSecurityException {
        SSLHostConfig host = new SSLHostConfig();
        host.setCertificateVerification("optional");
        host.setTrustStore(trusted(folder.resolve("ca.pem")));
        SSLHostConfigCertificate certificate = new SSLHostConfigCertificate(host, SSLHostConfigCertificate.Type.EC);
        certificate.setCertificateFile(folder.resolve("server.pem").toString());
        certificate.setCertificateKeyFile(folder.resolve("server.key").toString());
        host.addCertificate(certificate);
        Connector connector = new Connector(Http11NioProtocol.class.getName());
        connector.setScheme("https");
        connector.setSecure(true);
        connector.setPort(Integer.parseInt(Files.readString(folder.resolve("port")).strip()));
        ((Http11NioProtocol) connector.getProtocolHandler()).setSSLEnabled(true);
        connector.addSslHostConfig(host);
        return connector;
    }

    private static KeyStore trusted(Path file) throws IOException, GeneralSecurityException {
        KeyStore store = KeyStore.getInstance(KeyStore.getDefaultType());
        store.load(null, null);
        try (InputStream in = Files.newInputStream(file)) {
            store.setCertificateEntry("ca", CertificateFactory.getInstance("X.509").generateCertificate(in));
        }
        return store;
    }
}
