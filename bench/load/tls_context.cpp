#include "tls_context.hpp"

#include <arpa/inet.h>
#include <array>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdexcept>

namespace repartee::bench {
namespace {

TlsContext context_of(const SSL_METHOD* method)
{
    TlsContext context(SSL_CTX_new(method), &SSL_CTX_free);
    if (!context) throw std::runtime_error("OpenSSL could not make a context: " + tls_failure(nullptr));
    SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
    SSL_CTX_set_options(context.get(), SSL_OP_NO_RENEGOTIATION);
    SSL_CTX_set_mode(context.get(), SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    // A record's header and body, and several records, with one read().
    SSL_CTX_set_read_ahead(context.get(), 1);
    return context;
}

Tls tls_on(SSL_CTX& context, int fd)
{
    Tls tls(SSL_new(&context), &SSL_free);
    if (!tls || SSL_set_fd(tls.get(), fd) != 1) throw std::runtime_error("OpenSSL could not make a connection: " + tls_failure(nullptr));
    return tls;
}

}  // namespace

TlsContext tls_server_context(const std::string& certificate_file, const std::string& key_file)
{
    TlsContext context = context_of(TLS_server_method());
    if (SSL_CTX_use_certificate_chain_file(context.get(), certificate_file.c_str()) != 1)
        throw std::runtime_error("--cert " + certificate_file + " cannot be used: " + tls_failure(nullptr) + ". Give a PEM certificate chain.");
    if (SSL_CTX_use_PrivateKey_file(context.get(), key_file.c_str(), SSL_FILETYPE_PEM) != 1)
        throw std::runtime_error("--key " + key_file + " cannot be used: " + tls_failure(nullptr) + ". Give the PEM key of the certificate.");
    return context;
}

TlsContext tls_client_context(const std::string& ca_file)
{
    TlsContext context = context_of(TLS_client_method());
    SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
    if (ca_file.empty())
        SSL_CTX_set_default_verify_paths(context.get());
    else if (SSL_CTX_load_verify_file(context.get(), ca_file.c_str()) != 1)
        throw std::runtime_error("--ca " + ca_file + " cannot be used: " + tls_failure(nullptr) + ". Give a certificate as a PEM file.");
    return context;
}

Tls tls_accept(SSL_CTX& context, int fd)
{
    Tls tls = tls_on(context, fd);
    SSL_set_accept_state(tls.get());
    return tls;
}

Tls tls_connect(SSL_CTX& context, int fd, const std::string& host)
{
    Tls tls = tls_on(context, fd);
    std::array<unsigned char, sizeof(in6_addr)> address;
    const bool is_address = ::inet_pton(AF_INET, host.c_str(), address.data()) == 1 || ::inet_pton(AF_INET6, host.c_str(), address.data()) == 1;
    if (is_address) {
        X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(tls.get()), host.c_str());
    } else {
        SSL_set1_host(tls.get(), host.c_str());
        SSL_set_tlsext_host_name(tls.get(), host.c_str());
    }
    SSL_set_connect_state(tls.get());
    return tls;
}

std::string tls_failure(const SSL* tls)
{
    const long verified = tls ? SSL_get_verify_result(tls) : X509_V_OK;
    const unsigned long code = ERR_get_error();
    ERR_clear_error();
    const char* reason = code ? ERR_reason_error_string(code) : nullptr;
    if (verified != X509_V_OK) return X509_verify_cert_error_string(verified);
    return reason ? reason : "unknown reason";
}

}  // namespace repartee::bench
