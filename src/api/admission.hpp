#pragma once
#include "repartee/api/services.hpp"
#include "repartee/net/http_message.hpp"

/// What every door asks before it opens.
namespace repartee::api {

/// The character, kept alive with its snapshot. Code::not_found.
Result<std::shared_ptr<const characters::Character>> find_character(const Shared& shared, std::string_view id);

/// The error for an unknown character as REST clients know it: 404 and "detail".
net::Response respond_refusal(const Error& error);

/// Of a WebSocket: origin allowed, an upgrade asked for.
Result<void> check_door(const Shared& shared, const net::Request& request);

/// Not draining, a place free: when all are taken, that of the conversation that has waited longest for its client.
Result<std::shared_ptr<SessionSlot>> take_slot(Shared& shared);

/// Of a WebSocket: origin allowed, an upgrade asked for, not draining, a place free.
Result<std::shared_ptr<SessionSlot>> admit(Shared& shared, const net::Request& request);

/// A lease, or the client has been told why there is none (typed error event, close) and nullopt comes back.
awaitable<std::optional<upstream::Lease>> lease_or_refuse(Services& services, net::WebSocket& client, upstream::LeaseRequest request);

}  // namespace repartee::api
