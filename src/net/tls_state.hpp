#pragma once
#include "repartee/net/tls_context.hpp"

#include <openssl/ssl.h>

#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace repartee::net {

using SessionPtr = std::unique_ptr<SSL_SESSION, decltype(&SSL_SESSION_free)>;

/// The newest TLS session of each host and port. Shared by all workers' streams, and by streams that outlive their TlsContext.
class SessionCache {
public:
    static constexpr std::size_t hosts_max = 64;

    void store(const std::string& host_and_port, SessionPtr session);
    /// A copy: OpenSSL marks a session as spent when one of its connections breaks, which must not spoil it for the others.
    SessionPtr copy_of(const std::string& host_and_port) const;

private:
    struct Entry {
        std::string host_and_port;
        SessionPtr session;
    };
    mutable std::mutex mutex_;
    std::vector<Entry> entries_;  ///< oldest first
};

struct TlsContext::State {
    std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context;
    std::shared_ptr<SessionCache> sessions;  ///< clients only
};

/// Before the handshake: offers the session kept for this host, and has the sessions of this connection kept.
void use_session_cache(SSL* ssl, const std::shared_ptr<SessionCache>& sessions, std::string host_and_port);

}  // namespace repartee::net
