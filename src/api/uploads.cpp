#include "access.hpp"
#include "respond.hpp"

#include "repartee/api/routes.hpp"

#include <fmt/format.h>

namespace repartee::api {
namespace {

// What a form has around its file.
constexpr std::size_t form_bytes_max = 64 << 10;

/// Bytes of an upload under way, counted from before it comes until its request is over.
class UploadPlace {
public:
    static std::shared_ptr<UploadPlace> take(Shared& shared, std::size_t bytes)
    {
        if (shared.upload_bytes.fetch_add(bytes) + bytes <= shared.settings.uploads_bytes_max)
            return std::shared_ptr<UploadPlace>(new UploadPlace(shared, bytes));
        shared.upload_bytes.fetch_sub(bytes);
        return nullptr;
    }
    ~UploadPlace() { shared_.upload_bytes.fetch_sub(bytes_); }
    UploadPlace(const UploadPlace&) = delete;
    UploadPlace& operator=(const UploadPlace&) = delete;

private:
    UploadPlace(Shared& shared, std::size_t bytes) : shared_(shared), bytes_(bytes) {}
    Shared& shared_;
    std::size_t bytes_;
};

net::Response refuse(Shared& shared, const Error& error)
{
    shared.metrics.count_error(error.code);
    return respond_error(error);
}

std::variant<net::BodyPermit, net::Response> judge(Shared& shared, const net::Request& head, std::optional<std::uint64_t> content_length)
{
    const Settings& settings = shared.settings;
    net::BodyPermit permit;
    permit.bytes_max = settings.body_bytes_max;
    permit.limit = settings.body_limit;
    if (head.method != "POST" || (head.path != "/voice-chat" && head.path != "/voice-chat/")) return permit;

    if (const auto allowed = check_key(settings, head); !allowed) return refuse(shared, allowed.error());
    if (const auto allowed = check_origin(settings, head); !allowed) return refuse(shared, allowed.error());
    if (shared.draining) return refuse(shared, {Code::busy, "The server is shutting down. Try again in a moment."});
    if (shared.sessions >= settings.sessions_max)
        return refuse(shared, {Code::busy, fmt::format("All {} sessions (server.sessions_max) are in use. Try again in a moment.",
                                                       settings.sessions_max)});
    permit.bytes_max = settings.voice_chat.upload_bytes_max + form_bytes_max;
    permit.limit = settings.voice_chat.limit;
    if (content_length && *content_length > permit.bytes_max)
        return refuse(shared, {Code::too_large, fmt::format("The upload has {} bytes; at most {} (voice_chat.upload_bytes_max) are taken.",
                                                            *content_length, settings.voice_chat.upload_bytes_max)});
    const auto bytes = static_cast<std::size_t>(content_length.value_or(permit.bytes_max));
    auto place = UploadPlace::take(shared, bytes);
    if (!place)
        return refuse(shared, {Code::busy, "Too much is being uploaded just now (limits.uploads_bytes_max). Try again in a moment."});
    permit.held = std::move(place);
    return permit;
}

}  // namespace

net::BodyGate upload_gate(Shared& shared)
{
    return [&shared](const net::Request& head, std::optional<std::uint64_t> content_length) { return judge(shared, head, content_length); };
}

}  // namespace repartee::api
