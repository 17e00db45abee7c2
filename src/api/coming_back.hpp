#pragma once
#include "repartee/api/services.hpp"
#include "repartee/net/http_server.hpp"
#include "repartee/relay/directory.hpp"

#include <memory>
#include <string>

/// A client's way back to its conversation: `?resume=TOKEN[&last_event=EVENT_ID][&played=ITEM_ID:MS]`.
namespace repartee::api {

/// What a new conversation shows the directory; null when clients may not come back. Called where the conversation runs. `place`: the address at
/// which its client is expected; `slot`: what it gives up to a new client while it waits.
std::unique_ptr<relay::Waiting> make_waiting(Services& services, asio::any_io_executor executor, std::string place,
                                             std::shared_ptr<SessionSlot> slot);

/// Answers a request with ?resume=: with an upgrade that goes to its conversation, or 410.
net::Reply come_back(Services& services, const net::Request& request, std::string_view place, const net::WebSocketLimits& limits);

}  // namespace repartee::api
