#pragma once
#include "repartee/net/byte_stream.hpp"

#include <boost/beast/core/flat_buffer.hpp>

#include <cstddef>
#include <memory>
#include <stop_token>

namespace repartee::net {

/// Notices that a client leaves while its answer is made: it reads what comes meanwhile into `buffer` (requests that follow, at most
/// `buffer_bytes_max`) until the stream ends. From end() on nothing is touched any more, so the stream is free for another reader.
class ClientWatch {
public:
    /// Both outlive the watch.
    ClientWatch(ByteStream& stream, boost::beast::flat_buffer& buffer, std::size_t buffer_bytes_max);
    ~ClientWatch() { end(); }
    ClientWatch(const ClientWatch&) = delete;
    ClientWatch& operator=(const ClientWatch&) = delete;

    /// Stops when the client has left.
    std::stop_token gone() const;
    void end();

private:
    struct State;
    std::shared_ptr<State> state_;  ///< shared with the task that reads
};

}  // namespace repartee::net
