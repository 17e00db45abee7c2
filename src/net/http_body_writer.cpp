#include "http_body_writer.hpp"

#include "http_response_head.hpp"

#include "repartee/net/deadline.hpp"

#include <fmt/format.h>

#include <utility>

namespace repartee::net {
namespace {

constexpr std::size_t write_bytes = 64 << 10;

Error too_slow(milliseconds limit)
{
    return Error{Code::slow_client, fmt::format("The client took no data for {} ms and was given up. Read faster.", limit.count())};
}

}  // namespace

Task<> write_within(ByteStream& stream, std::string_view bytes, milliseconds limit)
{
    Result<void> outcome;
    while (!bytes.empty() && outcome) {
        const auto piece = bytes.substr(0, write_bytes);
        const Deadline deadline(stream.executor(), limit, [&stream] { stream.close(); });
        outcome = co_await stream.write(piece);
        if (!outcome && deadline.expired()) co_return too_slow(limit);
        bytes.remove_prefix(piece.size());
    }
    co_return outcome;
}

HttpBodyWriter::HttpBodyWriter(ByteStream& stream, std::string head, bool chunked, milliseconds write_limit)
    : stream_(stream), head_(std::move(head)), chunked_(chunked), write_limit_(write_limit)
{
}

Task<> HttpBodyWriter::write(std::string_view bytes)
{
    // A large piece becomes several chunks: what is copied into them stays small. An empty chunk would be the end.
    Result<void> outcome;
    while (!bytes.empty() && outcome) {
        const auto piece = bytes.substr(0, write_bytes);
        std::string text = std::exchange(head_, {});
        if (chunked_) text += fmt::format("{:x}\r\n", piece.size());
        text += piece;
        if (chunked_) text += "\r\n";
        outcome = co_await send(std::move(text));
        bytes.remove_prefix(piece.size());
    }
    co_return outcome;
}

void HttpBodyWriter::add_trailer(std::string name, std::string value)
{
    if (chunked_ && !is_set_by_the_server(name)) append_header(trailers_, name, value);
}

Task<> HttpBodyWriter::finish()
{
    std::string text = std::exchange(head_, {});
    if (chunked_) text += "0\r\n" + trailers_ + "\r\n";
    co_return co_await send(std::move(text));
}

Task<> HttpBodyWriter::send(std::string bytes)
{
    if (failure_) co_return *failure_;
    begun_ = true;
    const auto written = co_await write_within(stream_, bytes, write_limit_);
    if (!written) failure_ = written.error();
    co_return written;
}

}  // namespace repartee::net
