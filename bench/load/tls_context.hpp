#pragma once
#include <memory>
#include <openssl/ssl.h>
#include <string>

/// OpenSSL contexts as the two programs need them: TLS 1.3 and 1.2 with the library's default ciphers, session tickets on.
namespace repartee::bench {

using TlsContext = std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)>;
using Tls = std::unique_ptr<SSL, decltype(&SSL_free)>;

/// Throws std::runtime_error that names the file.
TlsContext tls_server_context(const std::string& certificate_file, const std::string& key_file);
/// Verifies servers against `ca_file`, or the system's authorities when it is empty.
TlsContext tls_client_context(const std::string& ca_file);

Tls tls_accept(SSL_CTX& context, int fd);
/// `host` is what the certificate must be for: a name or an address.
Tls tls_connect(SSL_CTX& context, int fd, const std::string& host);

/// Why the last OpenSSL call of this thread failed; empties OpenSSL's list.
std::string tls_failure(const SSL* tls);

}  // namespace repartee::bench
