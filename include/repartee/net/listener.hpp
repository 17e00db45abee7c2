#pragma once
#include "repartee/net/byte_stream.hpp"

#include <functional>
#include <string>

namespace repartee::net {

struct HostPort {
    std::string host;
    std::uint16_t port = 0;
};
/// "127.0.0.1:8000", "[::1]:0", "localhost:8000". Code::invalid_value otherwise.
Result<HostPort> parse_host_port(std::string_view text);

/// A bound, listening TCP socket.
class Listener {
public:
    /// Code::invalid_value / Code::storage-free messages name address and cause ("Address already in use"). SO_REUSEADDR; port 0 picks a free one.
    static Result<Listener> bind(asio::any_io_executor executor, const HostPort& where);
    ~Listener();
    Listener(Listener&&) noexcept;

    std::uint16_t port() const;
    /// The next connection's native socket, not yet bound to any executor (so that any worker can adopt it). Backs off when descriptors run out.
    Task<int> accept();
    void close();

private:
    struct State;
    explicit Listener(std::shared_ptr<State> state);
    std::shared_ptr<State> state_;
};

}  // namespace repartee::net
