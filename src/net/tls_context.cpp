#include "repartee/net/tls_context.hpp"

#include "tls_memory.hpp"
#include "tls_state.hpp"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <new>

namespace repartee::net {

void SessionCache::store(const std::string& host_and_port, SessionPtr session)
{
    const std::lock_guard lock(mutex_);
    std::erase_if(entries_, [&](const Entry& entry) { return entry.host_and_port == host_and_port; });
    if (entries_.size() == hosts_max) entries_.erase(entries_.begin());
    entries_.push_back({host_and_port, std::move(session)});
}

SessionPtr SessionCache::copy_of(const std::string& host_and_port) const
{
    const std::lock_guard lock(mutex_);
    const auto found = std::ranges::find(entries_, host_and_port, &Entry::host_and_port);
    if (found == entries_.end()) return {nullptr, &SSL_SESSION_free};
    return {SSL_SESSION_dup(found->session.get()), &SSL_SESSION_free};
}

namespace {

/// Hangs on each client SSL object, since TLS 1.3 sends its sessions at any time after the handshake.
struct SessionKeeper {
    std::shared_ptr<SessionCache> cache;
    std::string host_and_port;
};

void free_keeper(void*, void* keeper, CRYPTO_EX_DATA*, int, long, void*) { delete static_cast<SessionKeeper*>(keeper); }

int keeper_index()
{
    static const int index = SSL_get_ex_new_index(0, nullptr, nullptr, nullptr, &free_keeper);
    return index;
}

int keep_session(SSL* ssl, SSL_SESSION* session) noexcept
{
    const auto* keeper = static_cast<const SessionKeeper*>(SSL_get_ex_data(ssl, keeper_index()));
    if (!keeper) return 0;
    SessionPtr copy(SSL_SESSION_dup(session), &SSL_SESSION_free);
    if (copy) keeper->cache->store(keeper->host_and_port, std::move(copy));
    return 0;  // the session given stays OpenSSL's
}

std::string last_openssl_error()
{
    const unsigned long code = ERR_get_error();
    ERR_clear_error();
    const char* reason = code ? ERR_reason_error_string(code) : nullptr;
    return reason ? reason : "unknown reason";
}

Error unusable(const std::string& what, const std::string& file, const std::string& mend)
{
    return Error{Code::tls, "Could not use the " + what + " " + file + ": " + last_openssl_error() + ". " + mend};
}

using Context = std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)>;

Context modern_context(const SSL_METHOD* method)
{
    install_tls_memory();
    Context context(SSL_CTX_new(method), &SSL_CTX_free);
    if (!context) throw std::bad_alloc();
    SSL_CTX* const native = context.get();
    SSL_CTX_set_min_proto_version(native, TLS1_2_VERSION);
    // Renegotiation would make writes read and reads write, and costs a server more than its client.
    SSL_CTX_set_options(native, SSL_OP_NO_RENEGOTIATION);
    SSL_CTX_set_mode(native, SSL_MODE_RELEASE_BUFFERS);
    ERR_clear_error();
    return context;
}

}  // namespace

void use_session_cache(SSL* ssl, const std::shared_ptr<SessionCache>& sessions, std::string host_and_port)
{
    if (const SessionPtr session = sessions->copy_of(host_and_port)) SSL_set_session(ssl, session.get());
    auto keeper = std::make_unique<SessionKeeper>(SessionKeeper{sessions, std::move(host_and_port)});
    if (SSL_set_ex_data(ssl, keeper_index(), keeper.get()) == 1) keeper.release();
}

TlsContext::TlsContext(std::unique_ptr<State> state) : state_(std::move(state)) {}
TlsContext::~TlsContext() = default;
TlsContext::TlsContext(TlsContext&&) noexcept = default;
TlsContext& TlsContext::operator=(TlsContext&&) noexcept = default;

Result<TlsContext> TlsContext::client(const std::string& ca_file)
{
    auto context = modern_context(TLS_client_method());
    SSL_CTX* const native = context.get();
    SSL_CTX_set_verify(native, SSL_VERIFY_PEER, nullptr);
    SSL_CTX_set_default_verify_paths(native);
    ERR_clear_error();
    if (!ca_file.empty() && SSL_CTX_load_verify_file(native, ca_file.c_str()) != 1)
        return unusable("CA file", ca_file, "Give a readable PEM file with one or more CA certificates.");
    SSL_CTX_set_session_cache_mode(native, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(native, &keep_session);
    return TlsContext(std::unique_ptr<State>(new State{std::move(context), std::make_shared<SessionCache>()}));
}

Result<TlsContext> TlsContext::server(const std::string& certificate_chain_file, const std::string& private_key_file)
{
    auto context = modern_context(TLS_server_method());
    SSL_CTX* const native = context.get();
    if (SSL_CTX_use_certificate_chain_file(native, certificate_chain_file.c_str()) != 1)
        return unusable("certificate chain", certificate_chain_file, "Give a readable PEM file, the server's own certificate first.");
    if (SSL_CTX_use_PrivateKey_file(native, private_key_file.c_str(), SSL_FILETYPE_PEM) != 1)
        return unusable("private key", private_key_file, "Give the readable, unencrypted PEM key that belongs to the certificate.");
    if (SSL_CTX_check_private_key(native) != 1)
        return unusable("private key", private_key_file, "Give the key that belongs to " + certificate_chain_file + ".");
    // Sessions resume from tickets, which the clients keep.
    SSL_CTX_set_session_cache_mode(native, SSL_SESS_CACHE_OFF);
    return TlsContext(std::unique_ptr<State>(new State{std::move(context), nullptr}));
}

}  // namespace repartee::net
