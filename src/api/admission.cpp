#include "admission.hpp"

#include "access.hpp"
#include "respond.hpp"

#include "repartee/base/quoted.hpp"

namespace repartee::api {

Result<std::shared_ptr<const characters::Character>> find_character(const Shared& shared, std::string_view id)
{
    const auto snapshot = shared.catalogue.snapshot();
    const characters::Character* character = snapshot->find(id);
    if (!character)
        return Error{Code::character_not_found, "There is no character " + quoted(utf8_prefix(id, 64)) + ". GET /api/v1/characters lists them."};
    return std::shared_ptr<const characters::Character>(snapshot, character);
}

net::Response respond_refusal(const Error& error)
{
    if (error.code == Code::character_not_found) return respond_error(error, {{"detail", "Character not found"}});
    return respond_error(error);
}

Result<void> check_door(const Shared& shared, const net::Request& request)
{
    if (const auto allowed = check_origin(shared.settings, request); !allowed) return allowed.error();
    if (!request.wants_upgrade())
        return Error{Code::invalid_value, "This address is a WebSocket: connect with ws:// or wss://. The wire is described in docs/protocol.md."};
    return {};
}

Result<std::shared_ptr<SessionSlot>> admit(Shared& shared, const net::Request& request)
{
    if (const auto allowed = check_door(shared, request); !allowed) return allowed.error();
    return take_slot(shared);
}

Result<std::shared_ptr<SessionSlot>> take_slot(Shared& shared)
{
    if (shared.draining) return Error{Code::busy, "The server is shutting down. Connect again in a moment."};
    auto slot = SessionSlot::take(shared);
    if (!slot) slot = std::static_pointer_cast<SessionSlot>(shared.directory.take_slot_of_longest_waiting());
    if (slot) return slot;
    shared.metrics.count_error(Code::busy);
    return Error{Code::busy, "All " + std::to_string(shared.settings.sessions_max) + " sessions (server.sessions_max) are in use. Try again in a moment."};
}

awaitable<std::optional<upstream::Lease>> lease_or_refuse(Services& services, net::WebSocket& client, upstream::LeaseRequest request)
{
    auto lease = co_await services.source.lease(std::move(request));
    if (lease) co_return std::move(*lease);
    services.shared.metrics.count_error(lease.error().code);
    const std::uint16_t close_code = lease.error().code == Code::upstream_rejected ? 1011 : 1013;
    co_await relay::refuse(std::move(client), lease.error(), close_code);
    co_return std::nullopt;
}

}  // namespace repartee::api
