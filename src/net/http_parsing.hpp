#pragma once
#include <boost/asio/buffer.hpp>
#include <boost/beast/core/error.hpp>
#include <boost/beast/http/error.hpp>

namespace repartee::net {

/// Feeds a Beast parser, and returns how many bytes it took; the rest is to be given again, with more behind it. `error` is not set when more bytes
/// are needed. Two things that Beast 1.81 leaves to its caller are seen to:
/// - The end of a chunked body must not come in steps of less than five bytes ("0\r\n\r\n", the least that can be missing): an assertion fails then
///   (boostorg/beast, pull request 2861).
/// - A chunk's header and the trailer have no limit: what stays unparsed is limited to `unparsed_bytes_max` (error::header_limit).
template <class Parser>
std::size_t put_received(Parser& parser, boost::asio::const_buffer received, std::size_t unparsed_bytes_max, boost::beast::error_code& error)
{
    namespace http = boost::beast::http;
    constexpr std::size_t shortest_end_of_chunks = 5;
    error = {};
    if (received.size() == 0) return 0;
    if (parser.is_header_done() && parser.chunked() && received.size() < shortest_end_of_chunks) return 0;
    const std::size_t taken = parser.put(received, error);
    if (error != http::error::need_more) return taken;
    error = {};
    if (received.size() - taken > unparsed_bytes_max) error = http::error::header_limit;
    return taken;
}

}  // namespace repartee::net
