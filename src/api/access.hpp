#pragma once
#include "repartee/api/services.hpp"
#include "repartee/net/http_message.hpp"

namespace repartee::api {

/// Whether the request carries one of server.api_keys (when there are any): `Authorization: Bearer`, the subprotocol
/// `openai-insecure-api-key.KEY`, `api-key` header or `?api_key=`. Code::unauthorized says how to give one.
Result<void> check_key(const Settings& settings, const net::Request& request);

/// Whether a browser page of that origin may open a WebSocket here: no Origin (not a browser), our own, or an allowed one.
/// Without this any web page could talk at the expense of the person who runs the server on the same machine.
Result<void> check_origin(const Settings& settings, const net::Request& request);

/// The subprotocol to answer with: "realtime" when the client offered it, else none.
std::string choose_subprotocol(const net::Request& request);

}  // namespace repartee::api
