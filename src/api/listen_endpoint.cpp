#include "access.hpp"
#include "admission.hpp"
#include "handlers.hpp"
#include "query.hpp"
#include "respond.hpp"

namespace repartee::api {
namespace {

Result<void> read_query(const net::Request& request, voice::ListenSettings& settings)
{
    if (const auto mode = request.query_value("mode")) {
        if (*mode != "utterance" && *mode != "stream") return bad_query("mode", *mode, "utterance or stream");
        settings.continuous = *mode == "stream";
    }
    if (const auto format = request.query_value("format")) {
        if (*format != "text" && *format != "json") return bad_query("format", *format, "text or json");
        settings.as_json = *format == "json";
    }
    if (const auto language = request.query_value("language")) {
        if (!is_language(*language)) return bad_query("language", *language, "a language code such as ko or en");
        settings.language = *language;
    }
    return read_rate(request, "rate", settings.hz);
}

awaitable<void> listen(Services& services, net::WebSocket client, voice::ListenSettings settings, std::shared_ptr<SessionSlot>)
{
    Shared& shared = services.shared;
    std::stop_source drain;
    const auto on_drain = [&drain] { drain.request_stop(); };
    const relay::Registry::Entry entry(services.registry, on_drain);
    voice::ListenContext context{services.roles.stt, {}, shared.metrics, shared.debug_recordings.get(), drain.get_token()};
    co_await voice::run_listening(std::move(client), std::move(settings), std::move(context));
}

}  // namespace

net::Reply open_listening(Services& services, net::Request&& request, const PathParams&)
{
    Shared& shared = services.shared;
    voice::ListenSettings settings = shared.settings.listen;
    if (const auto read = read_query(request, settings); !read) return respond_error(read.error());
    auto slot = admit(shared, request);
    if (!slot) return respond_error(slot.error());

    net::Upgrade upgrade;
    upgrade.subprotocol = choose_subprotocol(request);
    upgrade.limits = shared.settings.listen_socket;
    // An utterance that is too long is answered with words; only what is far too long ends the connection. A stream's messages are pieces of any
    // size, each resampled in one go: shorter ones leave the thread to others between them.
    if (settings.continuous)
        upgrade.limits.message_bytes_max = shared.settings.conversation_socket.message_bytes_max;
    else
        upgrade.limits.message_bytes_max = 2 * settings.utterance_bytes_max;
    upgrade.run = [&services, settings, slot = std::move(*slot)](net::WebSocket client) {
        return listen(services, std::move(client), settings, slot);
    };
    return upgrade;
}

}  // namespace repartee::api
