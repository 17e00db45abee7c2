#include "coming_back.hpp"

#include "access.hpp"
#include "admission.hpp"
#include "query.hpp"
#include "respond.hpp"

#include <charconv>

namespace repartee::api {
namespace {

using Position = conversation::Downlink::ClientPosition;

constexpr std::size_t id_bytes_max = 256;
constexpr std::int64_t played_ms_max = 24 * 3'600'000;

Result<Position> read_position(const net::Request& request)
{
    Position position;
    if (const auto last_event = request.query_value("last_event")) {
        if (last_event->empty() || last_event->size() > id_bytes_max)
            return bad_query("last_event", *last_event, "the event_id of the last event that came");
        position.last_event_id = *last_event;
    }
    const auto played = request.query_value("played");
    if (!played) return position;
    const Error unusable = bad_query("played", *played, "ITEM_ID:MS, the item that was playing and how much of it was heard");
    const std::size_t colon = played->rfind(':');
    if (colon == std::string_view::npos || colon == 0 || colon > id_bytes_max) return unusable;
    const std::string_view digits = played->substr(colon + 1);
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), position.played_ms);
    if (error != std::errc{} || end != digits.data() + digits.size() || position.played_ms < 0 || position.played_ms > played_ms_max) return unusable;
    position.item_id = played->substr(0, colon);
    return position;
}

}  // namespace

std::unique_ptr<relay::Waiting> make_waiting(Services& services, asio::any_io_executor executor, std::string place, std::shared_ptr<SessionSlot> slot)
{
    const Settings& settings = services.shared.settings;
    if (settings.resume.window.count() == 0) return nullptr;
    relay::WaitingSettings waiting;
    waiting.place = std::move(place);
    waiting.window = settings.resume.window;
    waiting.waiting_max = settings.resume.waiting_max;
    waiting.slot = std::move(slot);
    return std::make_unique<relay::Waiting>(services.shared.directory, std::move(executor), std::move(waiting));
}

net::Reply come_back(Services& services, const net::Request& request, std::string_view place, const net::WebSocketLimits& limits)
{
    Shared& shared = services.shared;
    if (const auto allowed = check_door(shared, request); !allowed) return respond_error(allowed.error());
    const auto position = read_position(request);
    if (!position) return respond_error(position.error());
    auto claimed = shared.directory.claim(request.query_value("resume").value_or(""), place);
    if (!claimed) {
        shared.metrics.count_error(claimed.error().code);
        return respond_error(claimed.error());
    }
    net::Upgrade upgrade;
    upgrade.subprotocol = choose_subprotocol(request);
    upgrade.limits = limits;
    const auto claim = std::make_shared<relay::Claim>(std::move(*claimed));
    upgrade.hand_over = [claim, position = *position](net::PartedWebSocket client) { claim->hand_over(std::move(client), position); };
    return upgrade;
}

}  // namespace repartee::api
