#include "response_run.hpp"

#include "audio_tokens.hpp"
#include "repartee/base/ids.hpp"
#include "repartee/realtime/audio_delta.hpp"
#include "repartee/realtime/server_event.hpp"

#include <algorithm>

namespace repartee::engine {
namespace {

constexpr std::int64_t content_index = 0;  // an output item of the engine has one part

std::int64_t tokens_limit(std::int64_t limit, std::int64_t meaning_of_inf)
{
    return limit > 0 ? std::min(limit, meaning_of_inf) : meaning_of_inf;
}

json::object joined(json::object members, json::object more)
{
    for (auto& entry : more) members[entry.key()] = std::move(entry.value());
    return members;
}

}  // namespace

ResponseRun::ResponseRun(realtime::ResponseConfig config, Tokens input, std::string conversation_id, ConversationItems* conversation,
                         Limits limits, std::vector<std::string>& events)
    : config_(std::move(config)), input_(input), conversation_id_(std::move(conversation_id)), conversation_(conversation), limits_(limits),
      tokens_max_(tokens_limit(config_.output_tokens_limit(), limits.output_tokens_max)), events_(events), id_(make_id("resp_"))
{
}

void ResponseRun::send(std::string_view type, json::object members) { events_.push_back(realtime::server_event(type, std::move(members))); }

json::object ResponseRun::ids(const Message& m) const
{
    return {{"response_id", id_}, {"item_id", m.item->id}, {"output_index", m.output_index}, {"content_index", content_index}};
}

Tokens ResponseRun::output_tokens() const { return {.text = text_.tokens(), .audio = assistant_audio_tokens(audio_ms())}; }

void ResponseRun::set_text_tokens(std::int64_t input, std::int64_t output)
{
    input_.text = input;
    told_output_ = output;
}

json::object ResponseRun::usage() const
{
    Tokens output = output_tokens();
    output.text = told_output_.value_or(output.text);
    return response_usage(input_, output);
}

void ResponseRun::begin() { send("response.created", {{"response", to_json("in_progress", nullptr, false)}}); }

json::value ResponseRun::begin_output_item(const ItemPtr& item)
{
    const auto output_index = static_cast<std::int64_t>(output_.size());
    output_.push_back(item);
    send("response.output_item.added", {{"response_id", id_}, {"output_index", output_index}, {"item", item->body}});
    if (!conversation_) return nullptr;
    json::value previous = conversation_->last_id();
    if (conversation_->add(item).has_error()) return previous;  // not met: the id is fresh
    conversation_->keep_within_limits();
    send("conversation.item.added", {{"previous_item_id", previous}, {"item", item->body}});
    return previous;
}

void ResponseRun::end_output_item(const ItemPtr& item, const json::value& previous_item_id, std::int64_t output_index)
{
    const bool still_there = conversation_ && conversation_->find(item->id);  // a client may have deleted it meanwhile
    if (still_there) send("conversation.item.done", {{"previous_item_id", previous_item_id}, {"item", item->body}});
    send("response.output_item.done", {{"response_id", id_}, {"output_index", output_index}, {"item", item->body}});
}

ResponseRun::Message& ResponseRun::message()
{
    if (message_) return *message_;

    auto item = std::make_shared<Item>();
    item->generating = true;
    item->id = make_id("item_");
    item->body = {{"id", item->id}, {"type", "message"}, {"status", "in_progress"}, {"role", "assistant"}, {"content", json::array{}}};
    const auto output_index = static_cast<std::int64_t>(output_.size());
    message_.emplace(Message{.item = item, .previous_item_id = begin_output_item(item), .output_index = output_index,
                             .encoder = OutputEncoder(config_.output_format)});

    if (config_.audio_output) item->recording.emplace();
    json::object part{{"type", config_.audio_output ? "audio" : "text"}, {text_key(), ""}};
    send("response.content_part.added", joined(ids(*message_), {{"part", part}}));
    part["type"] = config_.audio_output ? "output_audio" : "output_text";
    item->body["content"].as_array().push_back(std::move(part));
    return *message_;
}

bool ResponseRun::add_text(std::string_view delta)
{
    if (delta.empty()) return true;
    Message& m = message();
    std::string text = m.text.push(delta);
    const std::size_t fits = text_.prefix_bytes_within(text, tokens_max_ - output_tokens().audio);
    const bool all_fits = fits == text.size();
    text.resize(fits);
    if (text.empty()) return all_fits;

    text_.add(text);
    m.item->say(text);
    if (json::object* part = m.item->part(0))
        if (json::value* shown = part->if_contains(text_key())) shown->as_string() += text;  // none: truncated
    send(config_.audio_output ? "response.output_audio_transcript.delta" : "response.output_text.delta", joined(ids(m), {{"delta", text}}));
    return all_fits;
}

bool ResponseRun::add_audio(std::span<const std::int16_t> samples)
{
    if (!config_.audio_output || samples.empty()) return true;
    const std::int64_t samples_left =
        std::max<std::int64_t>(0, (tokens_max_ - text_.tokens()) * assistant_audio_token_ms * samples_per_ms - audio_samples_);
    const bool all_fits = static_cast<std::int64_t>(samples.size()) <= samples_left;
    if (!all_fits) samples = samples.first(static_cast<std::size_t>(samples_left));
    if (samples.empty()) return all_fits;

    Message& m = message();
    audio_samples_ += static_cast<std::int64_t>(samples.size());
    m.item->recording->append(samples, limits_.item_samples_max);
    m.encoder.encode(samples, m.bytes);
    send_audio(m);
    return all_fits;
}

void ResponseRun::send_audio(Message& m)
{
    const std::size_t delta_bytes_max = m.encoder.delta_bytes_max();
    for (std::size_t sent = 0; sent < m.bytes.size();) {
        const std::size_t n = std::min(delta_bytes_max, m.bytes.size() - sent);
        const std::string event_id = make_id("event_");
        realtime::build_audio_delta({.event_id = event_id, .response_id = id_, .item_id = m.item->id, .output_index = m.output_index,
                                     .content_index = content_index},
                                    m.bytes.data() + sent, n, events_.emplace_back());
        sent += n;
    }
    m.bytes.clear();
}

bool ResponseRun::add_function_call(std::string_view name, std::string_view arguments)
{
    close_message("completed");
    text_.add(name);
    if (text_.prefix_bytes_within(arguments, tokens_max_ - output_tokens().audio) < arguments.size()) return false;
    text_.add(arguments);

    auto item = std::make_shared<Item>();
    item->generating = true;
    item->id = make_id("item_");
    const std::string call_id = make_id("call_");
    const std::string whole = valid_utf8(arguments);
    item->body = {{"id", item->id},       {"type", "function_call"},     {"status", "in_progress"},
                  {"call_id", call_id},   {"name", valid_utf8(name)},    {"arguments", ""}};
    const auto output_index = static_cast<std::int64_t>(output_.size());
    const json::value previous = begin_output_item(item);
    const json::object call_ids{{"response_id", id_}, {"item_id", item->id}, {"output_index", output_index}, {"call_id", call_id}};
    send("response.function_call_arguments.delta", joined(call_ids, {{"delta", whole}}));
    send("response.function_call_arguments.done", joined(call_ids, {{"name", item->body["name"]}, {"arguments", whole}}));
    item->body["arguments"] = whole;
    item->set_status("completed");
    item->generating = false;
    end_output_item(item, previous, output_index);
    return true;
}

void ResponseRun::close_message(std::string_view status)
{
    if (!message_) return;
    Message& m = *message_;
    if (config_.audio_output) {
        m.encoder.finish(m.bytes);
        send_audio(m);
        send("response.output_audio.done", ids(m));
        send("response.output_audio_transcript.done", joined(ids(m), {{"transcript", m.item->said}}));
        send("response.content_part.done", joined(ids(m), {{"part", {{"type", "audio"}, {"transcript", m.item->said}}}}));
    } else {
        send("response.output_text.done", joined(ids(m), {{"text", m.item->said}}));
        send("response.content_part.done", joined(ids(m), {{"part", {{"type", "text"}, {"text", m.item->said}}}}));
    }
    m.item->set_status(status);
    m.item->generating = false;
    end_output_item(m.item, m.previous_item_id, m.output_index);
    if (status != "completed") m.item->forget_soundless_end();
    message_.reset();
    if (conversation_) conversation_->keep_within_limits();
}

void ResponseRun::end(std::string_view status, json::value status_details)
{
    close_message(status == "completed" ? "completed" : "incomplete");
    send("response.done", {{"response", to_json(status, std::move(status_details), true)}});
}

// Members without a value are left out, not null: the published schema knows no null there.
json::object ResponseRun::to_json(std::string_view status, json::value status_details, bool done) const
{
    json::array output;
    for (const ItemPtr& item : output_) output.emplace_back(item->body);
    json::object response{{"id", id_}, {"object", "realtime.response"}, {"status", std::string(status)}};
    if (!status_details.is_null()) response["status_details"] = std::move(status_details);
    response["output"] = std::move(output);
    if (conversation_) response["conversation_id"] = conversation_id_;
    response["output_modalities"] = json::array{config_.audio_output ? "audio" : "text"};
    response["max_output_tokens"] = config_.max_output_tokens;
    response["audio"] = {{"output", {{"format", realtime::to_json(config_.output_format)}, {"voice", config_.voice}}}};
    if (done) response["usage"] = usage();
    response["metadata"] = config_.metadata;
    return response;
}

}  // namespace repartee::engine
