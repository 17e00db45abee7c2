#include "client_item.hpp"
#include "context.hpp"
#include "repartee/base/token_estimate.hpp"
#include "repartee/realtime/response_config.hpp"
#include "server_state.hpp"

#include <algorithm>

namespace repartee::engine {
namespace {

// The engine counts tokens but rations none.
constexpr std::int64_t tokens_a_minute = 1'000'000'000;

/// The context that response.create names in `input`: new items, and references to the conversation's.
Result<std::vector<ItemPtr>> own_context(const json::array& input, const ConversationItems& items, realtime::AudioFormat input_format)
{
    constexpr std::size_t audio_kept = 0;  // they live as long as the response: nobody can retrieve them
    std::vector<ItemPtr> context;
    context.reserve(input.size());
    for (std::size_t i = 0; i < input.size(); ++i) {
        const std::string path = "response.input[" + std::to_string(i) + "]";
        const json::object& item = input[i].as_object();
        if (json::find_string(item, "type") != "item_reference") {
            auto own = read_client_item(item, input_format, audio_kept, path);
            if (!own) return own.error();
            context.push_back(*own);
            continue;
        }
        const auto id = json::find_string(item, "id").value_or(std::string_view{});
        ItemPtr referenced = items.find(id);
        if (!referenced)
            return Error{Code::item_not_found, "Item with id '" + std::string(id) + "' not found. Refer to an item of the conversation.",
                         path + ".id"};
        context.push_back(std::move(referenced));
    }
    return context;
}

Tokens prompt_tokens(const realtime::ResponseConfig& config, std::span<const ItemPtr> context)
{
    Tokens tokens = input_tokens(context);
    tokens.text += estimated_tokens(config.instructions);
    if (!config.tools.empty()) tokens.text += estimated_tokens(json::to_text(config.tools));
    return tokens;
}

}  // namespace

ResponseRun* RealtimeServer::State::active_run() const
{
    for (const auto& run : runs)
        if (run->config().in_conversation) return run.get();
    return nullptr;
}

ResponseRun* RealtimeServer::State::find_run(std::string_view response_id) const
{
    for (const auto& run : runs)
        if (run->id() == response_id) return run.get();
    return nullptr;
}

Error RealtimeServer::State::already_active(const ResponseRun& run) const
{
    return {Code::active_response, "Conversation already has an active response in progress: " + run.id() +
                                       ". Wait until the response is finished before creating a new one."};
}

Result<void> RealtimeServer::State::create_response_event(const json::object& event, Instant)
{
    if (session.transcription_only)
        return Error{Code::invalid_value, "A transcription session never responds. Open a session of type 'realtime' for response.create.",
                     "type"};
    const json::value* given = json::find(event, "response");
    if (given && !given->is_object()) return Error{Code::invalid_value, "Invalid type for 'response': expected an object.", "response"};

    auto config = realtime::read_response_create(given ? given->get_object() : json::object{}, session);
    if (!config) return config.error();
    if (config->in_conversation) {
        if (const ResponseRun* running = active_run()) return already_active(*running);
        if (voice_locked && config->voice != session.voice)
            return Error{Code::invalid_value,
                         "Cannot update the voice once it has been heard. Keep '" + session.voice + "', or start a new session.",
                         "response.audio.output.voice", "cannot_update_voice"};
    } else if (runs.size() - (active_run() ? 1 : 0) >= limits.out_of_band_responses_max) {
        return Error{Code::busy, "There are already " + std::to_string(limits.out_of_band_responses_max) +
                                     " responses outside of the conversation. Wait for a response.done, or cancel one by its id."};
    }

    if (!config->input) {
        start_response(std::move(*config), items.all());
        return {};
    }
    const auto context = own_context(*config->input, items, session.input_format);
    if (!context) return context.error();
    start_response(std::move(*config), *context);
    return {};
}

void RealtimeServer::State::start_response(realtime::ResponseConfig config, std::span<const ItemPtr> context)
{
    const ResponseRun::Limits run_limits{.output_tokens_max = limits.output_tokens_max,
                                         .item_samples_max = item_samples_max()};
    ReplyRequest request{.response_id = {},
                         .instructions = config.instructions,
                         .context = context_messages(context),
                         .audio = config.audio_output,
                         .voice = config.voice,
                         .speed = session.speed,
                         .max_output_tokens = config.output_tokens_limit(),
                         .tools = config.tools,
                         .tool_choice = config.tool_choice};
    const Tokens input = prompt_tokens(config, context);
    const bool in_conversation = config.in_conversation;
    if (in_conversation) idle.disarm();
    ConversationItems* conversation = in_conversation ? &items : nullptr;
    auto run = std::make_unique<ResponseRun>(std::move(config), input, conversation_id, conversation, run_limits, output.events);
    run->begin();
    request.response_id = run->id();
    output.replies.push_back(std::move(request));
    runs.push_back(std::move(run));
}

Result<void> RealtimeServer::State::cancel_response_event(const json::object& event, Instant now)
{
    const json::value* given = json::find(event, "response_id");
    if (given && !given->is_string())
        return Error{Code::invalid_value, "Invalid type for 'response_id': expected a string.", "response_id"};
    ResponseRun* run = given ? find_run(*json::find_string(event, "response_id")) : active_run();
    if (!run) {
        if (given) return Error{Code::no_active_response, "Cancellation failed: no active response with this id found.", "response_id"};
        return Error{Code::no_active_response, "Cancellation failed: no active response found."};
    }
    cancel(*run, "client_cancelled", now);
    return {};
}

// --- how a response ends ---------------------------------------------------------------------------------------------------------------

void RealtimeServer::State::end_run(ResponseRun& run, std::string_view status, json::value status_details)
{
    run.end(status, std::move(status_details));
    std::erase_if(runs, [&](const auto& other) { return other.get() == &run; });
}

void RealtimeServer::State::after_natural_end(bool in_conversation, std::int64_t audio_ms, Instant now)
{
    send("rate_limits.updated",
         {{"rate_limits", {{{"name", "tokens"}, {"limit", tokens_a_minute}, {"remaining", tokens_a_minute}, {"reset_seconds", 0}}}}});
    if (in_conversation) idle.arm(now + milliseconds(audio_ms));
}

void RealtimeServer::State::complete(ResponseRun& run, Instant now)
{
    const bool in_conversation = run.config().in_conversation;
    const std::int64_t audio_ms = run.audio_ms();
    end_run(run, "completed", nullptr);
    after_natural_end(in_conversation, audio_ms, now);
}

void RealtimeServer::State::end_at_token_limit(ResponseRun& run, Instant now)
{
    const bool in_conversation = run.config().in_conversation;
    const std::int64_t audio_ms = run.audio_ms();
    output.cancelled_responses.push_back(run.id());
    end_run(run, "incomplete", {{"type", "incomplete"}, {"reason", "max_output_tokens"}});
    after_natural_end(in_conversation, audio_ms, now);
}

void RealtimeServer::State::cancel(ResponseRun& run, std::string_view reason, Instant now)
{
    const bool in_conversation = run.config().in_conversation;
    output.cancelled_responses.push_back(run.id());
    end_run(run, "cancelled", {{"type", "cancelled"}, {"reason", std::string(reason)}});
    if (in_conversation) idle.arm(now);  // who cancels also stops the playback
}

void RealtimeServer::State::fail(ResponseRun& run, const Error& error)
{
    json::object details{{"type", std::string(realtime_type(error.code))},
                         {"code", error.upstream_code.empty() ? std::string(name(error.code)) : error.upstream_code},
                         {"message", valid_utf8(error.message)}};
    end_run(run, "failed", {{"type", "failed"}, {"error", std::move(details)}});
}

}  // namespace repartee::engine
