#pragma once
#include "growing_body.hpp"

#include "repartee/net/http_server.hpp"

#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>

#include <optional>
#include <string_view>

namespace repartee::net {

using RequestParser = boost::beast::http::request_parser<GrowingBody>;

/// A client's connection.
struct ServedConnection {
    ByteStream stream;
    HttpLimits limits;
    boost::beast::flat_buffer buffer{};  ///< received and not yet parsed: pipelined requests wait here

    std::string_view received() const { return {static_cast<const char*>(buffer.data().data()), buffer.size()}; }
};

/// How reading a request ended.
struct Reading {
    enum class End { request, refused, connection_over };
    End end = End::connection_over;
    Response refusal{};
    BodyPermit permit{};
    std::optional<Request> request{};
};

/// The next request, with its body; the parser is a fresh one. `first`: of the connection.
awaitable<Reading> read_request(ServedConnection& connection, RequestParser& parser, bool first);

}  // namespace repartee::net
