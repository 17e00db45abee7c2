#include "access.hpp"
#include "admission.hpp"
#include "handlers.hpp"
#include "respond.hpp"
#include "voice_chat_form.hpp"

#include "repartee/voice/header_text.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>

namespace repartee::api {
namespace {

constexpr std::chrono::milliseconds database_limit{5'000};

net::Response refuse(Shared& shared, const Error& error)
{
    shared.metrics.count_error(error.code);
    return respond_refusal(error);
}

/// A page of an allowed origin may read the answer and its headers.
void allow_origin(const net::Request& request, net::Response& response)
{
    const std::string_view origin = request.header("origin");
    if (origin.empty()) return;
    response.headers.emplace_back("Access-Control-Allow-Origin", origin);
    response.headers.emplace_back("Vary", "Origin");
    response.headers.emplace_back("Access-Control-Expose-Headers", "X-Session-Id, X-Heard-Text, X-Reply-Text, X-Reply-Complete, X-Request-Class");
}

net::Response respond_failure(const Error& error, const std::string& session_id, const voice::VoiceChatTexts& texts)
{
    json::object extra{{"session_id", session_id}};
    if (!texts.heard.empty()) extra["heard"] = texts.heard;
    if (!texts.said.empty()) extra["said"] = texts.said;
    return respond_error(error, std::move(extra));
}

net::Response respond_audio(voice::VoiceChat chat, const std::string& session_id, audio::ReplyFormat format, std::shared_ptr<SessionSlot> slot)
{
    const voice::VoiceChatTexts texts = chat.texts();
    net::Response response;
    response.headers = {{"Content-Type", std::string(audio::content_type(format))},
                        {"Content-Disposition", "inline; filename=reply." + std::string(audio::file_extension(format))},
                        {"Cache-Control", "no-store"},
                        {"X-Session-Id", session_id},
                        {"X-Heard-Text", voice::header_text(texts.heard, voice::header_text_bytes_max)},
                        {"X-Reply-Text", voice::header_text(texts.said, voice::header_text_bytes_max)},
                        {"X-Reply-Complete", texts.said_all ? "yes" : "no"},
                        {"X-Request-Class", texts.request_class},
                        {"Trailer", "X-Reply-Text"}};
    // The place among the sessions is free when the answer has been sent, not when it begins.
    const auto shared_chat = std::make_shared<voice::VoiceChat>(std::move(chat));
    response.stream = [shared_chat, slot = std::move(slot)](net::BodyWriter& to) { return shared_chat->pump(to); };
    return response;
}

net::Response respond_link(Shared& shared, const std::string& session_id, audio::ReplyFormat format, voice::VoiceChat::Whole whole)
{
    const std::string content_type(audio::content_type(format));
    const auto id = shared.shelf.put(std::move(whole.audio), content_type, std::chrono::steady_clock::now());
    if (!id) return refuse(shared, {Code::too_large, "The spoken answer is too large to be kept for a link. Ask for audio instead of JSON."});
    net::Response response = respond_json(200, {{"session_id", session_id},
                                                {"heard", whole.texts.heard},
                                                {"said", whole.texts.said},
                                                {"class", whole.texts.request_class},
                                                {"audio_url", "/voice-chat/replies/" + *id},
                                                {"content_type", content_type},
                                                {"duration_ms", whole.duration_ms}});
    response.headers.emplace_back("Cache-Control", "no-store");
    return response;
}

Result<std::shared_ptr<const characters::Character>> choose_character(const Shared& shared, const std::string& asked)
{
    const std::string& id = asked.empty() ? shared.settings.voice_chat_character : asked;
    if (id.empty()) return std::shared_ptr<const characters::Character>();
    return find_character(shared, id);
}

std::string iso_time(std::int64_t unix_ms)
{
    return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z", fmt::gmtime(static_cast<std::time_t>(unix_ms / 1000)), unix_ms % 1000);
}

awaitable<net::Response> answer(Services& services, net::Request& request)
{
    Shared& shared = services.shared;
    auto form = read_voice_chat_form(request, shared.settings.voice_chat.upload_bytes_max);
    if (!form) co_return refuse(shared, form.error());
    auto character = choose_character(shared, form->character_id);
    if (!character) co_return refuse(shared, character.error());
    auto slot = take_slot(shared);
    if (!slot) co_return respond_error(slot.error());
    form->chat.character = std::move(*character);

    const std::string session_id = form->chat.session_id;
    const audio::ReplyFormat format = form->chat.format;
    voice::VoiceChatSettings settings = shared.settings.voice_chat;
    voice::VoiceChatContext context{services.roles, *shared.memory, shared.metrics};
    voice::VoiceChat chat = co_await voice::VoiceChat::begin(std::move(form->chat), std::move(settings), std::move(context), request.gone);
    if (const auto failure = chat.failure()) co_return respond_failure(*failure, session_id, chat.texts());
    if (!form->as_json) co_return respond_audio(std::move(chat), session_id, format, std::move(*slot));
    auto whole = co_await chat.finish();
    if (!whole) co_return respond_failure(whole.error(), session_id, chat.texts());
    co_return respond_link(shared, session_id, format, std::move(*whole));
}

}  // namespace

awaitable<net::Reply> voice_chat(Services& services, net::Request request, PathParams)
{
    if (const auto allowed = check_origin(services.shared.settings, request); !allowed) co_return refuse(services.shared, allowed.error());
    net::Response response = co_await answer(services, request);
    allow_origin(request, response);
    co_return response;
}

awaitable<net::Reply> get_voice_chat(Services& services, net::Request, PathParams params)
{
    const std::string id = params.at("id");
    const Error unknown{Code::not_found, "There is no voice chat of this session id, or it was forgotten."};
    if (!is_session_id(id)) co_return respond_error(unknown);
    const auto turns = co_await services.shared.memory->recall(id, database_limit);
    if (!turns) co_return refuse(services.shared, turns.error());
    if (turns->empty()) co_return respond_error(unknown);
    json::array list;
    for (const store::StoredTurn& turn : *turns) {
        json::object shown{{"role", turn.role}, {"text", turn.text}, {"at", iso_time(turn.unix_ms)}};
        shown["class"] = turn.label.empty() ? json::value(nullptr) : json::value(turn.label);
        list.push_back(std::move(shown));
    }
    co_return respond_json(200, {{"session_id", id}, {"turns", std::move(list)}});
}

awaitable<net::Reply> delete_voice_chat(Services& services, net::Request, PathParams params)
{
    const std::string id = params.at("id");
    const Error unknown{Code::not_found, "There is no voice chat of this session id."};
    if (!is_session_id(id)) co_return respond_error(unknown);
    const auto forgotten = co_await services.shared.memory->forget(id, database_limit);
    if (!forgotten) co_return refuse(services.shared, forgotten.error());
    if (!*forgotten) co_return respond_error(unknown);
    co_return respond_no_content();
}

net::Reply get_reply_audio(Services& services, net::Request&&, const PathParams& params)
{
    const auto reply = services.shared.shelf.find(params.at("id"), std::chrono::steady_clock::now());
    if (!reply) return respond_error({Code::not_found, "This answer has gone: answers are kept for some minutes."});
    net::Response response;
    response.headers = {{"Content-Type", reply->content_type}, {"Content-Disposition", "inline"}, {"Cache-Control", "private, max-age=600"}};
    response.body = *reply->bytes;
    return response;
}

}  // namespace repartee::api
