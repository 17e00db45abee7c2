#pragma once
#include "repartee/net/awaitable.hpp"

#include <chrono>
#include <cstddef>
#include <memory>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>

namespace repartee::net {

class TlsContext;

/// A connected stream between two event loops: it belongs to none, and may go to any thread. Dropped, it closes the connection.
class PartedStream {
public:
    PartedStream();
    ~PartedStream();
    PartedStream(PartedStream&&) noexcept;
    PartedStream& operator=(PartedStream&&) noexcept;

    bool is_open() const;

private:
    friend class ByteStream;
    struct State;
    std::unique_ptr<State> state_;
};

/// One connected TCP or TLS byte stream.
/// Not thread-safe: everything on the executor it was made with. At most one read and one write may be outstanding.
/// Errors: Code::closed (end of stream, reset), Code::cancelled (cancel_read), Code::tls, Code::timeout.
class ByteStream {
public:
    ByteStream() = default;
    ~ByteStream();
    ByteStream(ByteStream&&) noexcept;
    ByteStream& operator=(ByteStream&&) noexcept;

    /// Takes over an accepted or connected native socket (TCP). Sets TCP_NODELAY.
    static ByteStream adopt_tcp(asio::any_io_executor executor, int native_socket);
    /// Goes on with a stream that was taken out of another event loop; called on the thread of the new one.
    static ByteStream join(asio::any_io_executor executor, PartedStream parted);
    /// TCP connect by name or address, time-limited over resolve and connect together. A stop ends it at once with Code::cancelled.
    static Task<ByteStream> connect(std::string host, std::string port, std::chrono::milliseconds limit, std::stop_token stop = {});

    /// Turns the TCP stream into TLS. As a client `host` is used for SNI and verified against the certificate.
    Task<> tls_handshake_as_client(const TlsContext& context, std::string host, std::chrono::milliseconds limit);
    Task<> tls_handshake_as_server(const TlsContext& context, std::chrono::milliseconds limit);

    bool is_open() const;
    bool is_tls() const;
    bool tls_resumed() const;  ///< the handshake reused an earlier session
    std::string remote_address() const;
    asio::any_io_executor executor() const;

    /// At least one byte, at most `buffer.size()`. Error Code::closed at the end of the stream.
    Task<std::size_t> read_some(std::span<std::byte> buffer);
    /// All of it.
    Task<> write(std::span<const std::byte> bytes);
    Task<> write(std::string_view text);

    /// The same without waiting, for the hot path: what is there or fits now; 0: nothing, await wait_readable() or wait_writable() and try again.
    /// What try_write() did not take must come first in the next call (TLS may have begun to send it).
    Result<std::size_t> try_read(std::span<std::byte> buffer);
    Result<std::size_t> try_write(std::span<const std::byte> bytes);
    /// False: cancelled (cancel_read()) or closed; then a further try says which. The stream outlives the wait.
    awaitable<bool> wait_readable();
    awaitable<bool> wait_writable();
    /// Ends the wait to be readable as if something had come, so that what the event loop did not tell is found.
    void look_again();
    /// Of what was written: not acknowledged by the peer's side yet, TLS's own bytes included.
    std::size_t unacknowledged_bytes() const;
    bool is_awaited() const;  ///< somebody is in wait_readable() or read_some()

    /// Takes the stream out of its event loop, with all that TLS holds. Nothing may be outstanding; this object is empty then.
    PartedStream part();
    /// Held until the connection is closed, whichever event loop it is on by then.
    void keep(std::shared_ptr<void> companion);

    /// Ends an outstanding read with Code::cancelled; no byte is lost, the stream stays usable.
    void cancel_read();
    /// Orderly end: TLS close_notify when possible, then TCP FIN; bounded by `limit`, then closed.
    awaitable<void> shutdown(std::chrono::milliseconds limit);
    /// Immediate end; outstanding operations finish with Code::closed or cancelled.
    void close();

private:
    struct State;
    std::shared_ptr<State> state_;  ///< shared with operations in flight
};

}  // namespace repartee::net
