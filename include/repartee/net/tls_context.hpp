#pragma once
#include "repartee/base/error.hpp"

#include <memory>
#include <string>

namespace repartee::net {

/// TLS settings shared by many streams; TLS 1.2 or newer. Immutable after construction but for the client's session cache (internally locked).
class TlsContext {
public:
    /// Verifies the peer against the system's roots and, when given, an extra CA file (PEM). Keeps the newest session of each host for reuse.
    static Result<TlsContext> client(const std::string& ca_file);
    static Result<TlsContext> server(const std::string& certificate_chain_file, const std::string& private_key_file);
    ~TlsContext();
    TlsContext(TlsContext&&) noexcept;
    TlsContext& operator=(TlsContext&&) noexcept;

    struct State;
    State& state() const { return *state_; }

private:
    explicit TlsContext(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

struct SelfSignedFiles {
    std::string certificate_file, key_file;
};
/// Makes (or keeps, while valid for 7 more days) a self-signed ECDSA certificate for localhost, 127.0.0.1 and ::1 in `directory`
/// as cert.pem and key.pem (mode 0600), so that a client can trust exactly this file.
Result<SelfSignedFiles> ensure_self_signed(const std::string& directory);

}  // namespace repartee::net
