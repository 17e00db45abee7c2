#include "repartee/net/http_server.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>

// The input is what a client sends before it ends its side: requests, and behind an upgrade to /ws, frames. Whatever it is, the server
// answers in HTTP and returns at once, and handlers see only sound requests.
namespace {

using namespace repartee;
using namespace repartee::net;

void check(bool holds)
{
    if (!holds) std::abort();
}

awaitable<void> echo(WebSocket socket)
{
    for (;;) {
        const auto message = co_await socket.read();
        if (message.has_error()) co_return;
        check(message->binary || is_valid_utf8(message->bytes));
        check(message->bytes.size() <= 2000);
        co_await socket.write_binary(message->bytes);
    }
}

awaitable<Reply> handle(Request request)
{
    check(request.path.starts_with('/') || request.path == "*");
    check(request.path.find('\0') == std::string::npos && request.body.size() <= 1000);
    for (const auto& [name, value] : request.headers) {
        check(std::none_of(name.begin(), name.end(), [](char c) { return c >= 'A' && c <= 'Z'; }));
        check(value.find_first_of("\r\n") == std::string::npos);
    }
    if (request.path == "/ws") {
        Upgrade upgrade;
        upgrade.limits.message_bytes_max = 2000;
        upgrade.run = echo;
        co_return Reply(std::move(upgrade));
    }
    Response response;
    response.body = request.method + request.body;
    co_return Reply(std::move(response));
}

void check_answer(int socket)
{
    std::array<char, 4096> buffer;
    const ssize_t n = ::read(socket, buffer.data(), buffer.size());
    if (n > 0) check(std::string_view(buffer.data(), static_cast<std::size_t>(n)).starts_with("HTTP/1.1 "));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    if (size > 8000) return 0;  // requests and answers fit into the socket's buffers
    int sockets[2];
    check(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) == 0);
    if (size > 0) check(::write(sockets[0], data, size) == static_cast<ssize_t>(size));
    ::shutdown(sockets[0], SHUT_WR);

    asio::io_context context(1);
    const Handler handler = handle;
    HttpLimits limits;
    limits.header_bytes_max = 1000;
    limits.body_bytes_max = 1000;
    bool ended = false;
    const auto on_end = [&](std::exception_ptr failure) {
        check(!failure);
        ended = true;
    };
    asio::co_spawn(context, serve_http(ByteStream::adopt_tcp(context.get_executor(), sockets[1]), handler, limits), on_end);
    context.run_for(std::chrono::seconds(1));  // no limit of the server is that short: it must not have waited for one
    check(ended);
    check_answer(sockets[0]);
    ::close(sockets[0]);
    return 0;
}
