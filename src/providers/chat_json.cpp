#include "chat_json.hpp"

#include "repartee/providers/text.hpp"
#include "service_words.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace repartee::providers {
namespace {

constexpr std::size_t calls_max = 128;

json::value parsed_or_empty_object(const std::string& text)
{
    auto object = json::parse_object(text);
    if (!object) return json::object();
    return std::move(*object);
}

/// The Realtime API's flat tools, as both services want them; what is no function is left out.
json::array nested_tools(const json::array& tools)
{
    json::array nested;
    for (const auto& tool : tools) {
        const auto* flat = tool.if_object();
        if (!flat || json::find_string(*flat, "type").value_or("function") != "function") continue;
        if (json::find_object(*flat, "function")) {
            nested.push_back(*flat);
            continue;
        }
        json::object function;
        for (const std::string_view member : {"name", "description", "parameters", "strict"})
            if (const auto* value = json::find(*flat, member)) function[member] = *value;
        nested.push_back(json::object{{"type", "function"}, {"function", std::move(function)}});
    }
    return nested;
}

json::value nested_tool_choice(const json::value& choice)
{
    const auto* object = choice.if_object();
    if (!object) return choice;
    const auto name = json::find_string(*object, "name");
    if (!name) return choice;
    return json::object{{"type", "function"}, {"function", json::object{{"name", *name}}}};
}

json::object openai_message(const ChatMessage& message)
{
    json::object out{{"role", message.role}, {"content", message.text}};
    if (message.role == "tool") out["tool_call_id"] = message.tool_call_id;
    if (message.tool_calls.empty()) return out;
    if (message.text.empty()) out["content"] = nullptr;
    json::array calls;
    for (const ToolCall& call : message.tool_calls)
        calls.push_back(json::object{
            {"id", call.id}, {"type", "function"}, {"function", json::object{{"name", call.name}, {"arguments", call.arguments}}}});
    out["tool_calls"] = std::move(calls);
    return out;
}

json::object ollama_message(const ChatMessage& message)
{
    json::object out{{"role", message.role}, {"content", message.text}};
    if (message.role == "tool" && !message.tool_name.empty()) out["tool_name"] = message.tool_name;
    if (message.tool_calls.empty()) return out;
    json::array calls;
    for (const ToolCall& call : message.tool_calls)
        calls.push_back(
            json::object{{"function", json::object{{"name", call.name}, {"arguments", parsed_or_empty_object(call.arguments)}}}});
    out["tool_calls"] = std::move(calls);
    return out;
}

int wanted_tokens(const ChatRequest& request, const ChatOptions& options)
{
    return request.max_output_tokens > 0 ? request.max_output_tokens : options.output_tokens_max;
}

std::optional<double> wanted_temperature(const ChatRequest& request, const ChatOptions& options)
{
    if (request.temperature) return request.temperature;
    if (options.temperature < 0) return std::nullopt;
    return options.temperature;
}

json::object model_and_messages(const ChatRequest& request, const ChatOptions& options, json::object (*written)(const ChatMessage&))
{
    json::array messages;
    for (const ChatMessage& message : request.messages) messages.push_back(written(message));
    return {{"model", request.choice.model.empty() ? options.model : request.choice.model}, {"messages", std::move(messages)}};
}

/// The operator's own members win, but over what makes the exchange what it is.
void put_extra(json::object& body, const json::object& extra)
{
    for (const auto& [key, value] : extra)
        if (key != "model" && key != "messages" && key != "stream") body[key] = value;
}

void put_members(json::object& into, const json::object& members)
{
    for (const auto& [key, value] : members) into[key] = value;
}

bool is_complete(const std::string& arguments) { return json::parse_object(arguments).has_value(); }

std::int64_t tokens(const json::object& usage, std::string_view path) { return std::max<std::int64_t>(0, json::find_int(usage, path).value_or(0)); }

}  // namespace

json::object openai_chat_body(const ChatRequest& request, const ChatOptions& options)
{
    json::object body = model_and_messages(request, options, openai_message);
    if (auto tools = nested_tools(request.tools); !tools.empty()) {
        body["tools"] = std::move(tools);
        // "auto" is what they all do unasked.
        if (!request.tool_choice.is_null() && request.tool_choice != "auto") body["tool_choice"] = nested_tool_choice(request.tool_choice);
    }
    if (const auto temperature = wanted_temperature(request, options)) body["temperature"] = *temperature;
    if (const int most = wanted_tokens(request, options); most > 0) body[options.tokens_field] = most;
    if (request.json) body["response_format"] = json::object{{"type", "json_object"}};
    if (options.include_usage) body["stream_options"] = json::object{{"include_usage", true}};
    put_extra(body, options.extra);
    body["stream"] = true;
    return body;
}

json::object ollama_chat_body(const ChatRequest& request, const ChatOptions& options)
{
    json::object body = model_and_messages(request, options, ollama_message);
    // There is no tool_choice: who must not call a tool is not told of any.
    auto tools = nested_tools(request.tools);
    if (!tools.empty() && !request.json && request.tool_choice != "none") body["tools"] = std::move(tools);
    if (request.json) body["format"] = "json";
    if (options.think != "auto") body["think"] = options.think == "on";
    if (!options.keep_alive.empty()) body["keep_alive"] = options.keep_alive;

    json::object model_options;
    if (options.context_tokens > 0) model_options["num_ctx"] = options.context_tokens;
    if (const int most = wanted_tokens(request, options); most > 0) model_options["num_predict"] = most;
    if (const auto temperature = wanted_temperature(request, options)) model_options["temperature"] = *temperature;
    put_extra(body, options.extra);
    if (const auto* more = json::find_object(options.extra, "options")) put_members(model_options, *more);
    body["options"] = std::move(model_options);
    body["stream"] = true;
    return body;
}

Result<json::object> ChatReader::parse(std::string_view data, std::string_view what)
{
    ++pieces_;
    auto document = json::parse_object(data);
    if (!document)
        return Error{Code::provider_failed, fmt::format("{} sent a broken answer ({} {}): {}", who_, what, pieces_, document.error().message)};
    if (auto failure = service_failure(*document, who_)) return std::move(*failure);
    return document;
}

Result<void> ChatReader::count(std::size_t bytes)
{
    reply_bytes_ += bytes;
    if (reply_bytes_ <= reply_bytes_max_) return {};
    return Error{Code::too_large,
                 fmt::format("{} wrote more than {} bytes in one answer. Bound it with max_output_tokens or llm.output_tokens_max.", who_,
                             reply_bytes_max_)};
}

Result<void> ChatReader::take_text(const json::object& message, ChatDelta& delta)
{
    for (const std::string_view member : {"content", "refusal"}) {
        const auto text = json::find_string(message, member);
        if (!text || text->empty()) continue;
        anything_came_ = true;
        if (const auto counted = count(text->size()); !counted) return counted.error();
        delta.text += think_.push(*text);
    }
    return {};
}

/// The call that a piece belongs to: by index, else by id, else the last one. Some services leave out the index or count every call as 0: a name
/// that comes when the arguments are whole already begins another call.
ChatReader::PartialCall& ChatReader::partial_call(const json::object& call, bool whole_arguments)
{
    const auto index = json::find_int(call, "index");
    const std::string_view id = json::find_string(call, "id").value_or("");
    const bool named = !json::find_string(call, "function.name").value_or("").empty();
    PartialCall* match = nullptr;
    for (PartialCall& known : calls_) {
        const bool other_id = !id.empty() && known.has_id && known.call.id != id;
        const bool same_place = index ? known.index == index : id.empty() || known.call.id == id;
        if (same_place && !other_id) match = &known;
    }
    const bool begins_another = match && (match->given || (named && whole_arguments && is_complete(match->call.arguments)));
    if (match && !begins_another) return *match;
    calls_.emplace_back();
    calls_.back().index = index;
    return calls_.back();
}

Result<void> ChatReader::take_call(const json::object& call)
{
    const auto* function = json::find_object(call, "function");
    if (!function) return {};
    anything_came_ = true;
    std::string arguments;
    if (const auto text = json::find_string(*function, "arguments"))
        arguments = *text;
    else if (const auto* object = json::find_object(*function, "arguments"))
        arguments = json::to_text(*object);

    PartialCall& partial = partial_call(call, !arguments.empty());
    if (calls_.size() > calls_max) return Error{Code::too_large, fmt::format("{} asked for more than {} calls in one answer.", who_, calls_max)};
    const std::string_view id = json::find_string(call, "id").value_or("");
    if (!partial.has_id && !id.empty()) {
        partial.call.id = id;
        partial.has_id = true;
    }
    if (partial.call.name.empty()) partial.call.name = json::find_string(*function, "name").value_or("");
    if (const auto counted = count(arguments.size() + id.size()); !counted) return counted.error();
    partial.call.arguments += arguments;
    return {};
}

void ChatReader::give_calls(ChatDelta& delta)
{
    for (std::size_t i = 0; i < calls_.size(); ++i) {
        PartialCall& partial = calls_[i];
        if (std::exchange(partial.given, true)) continue;
        if (partial.call.name.empty()) continue;
        if (!partial.has_id) partial.call.id = fmt::format("call_{}", i);
        if (trim(partial.call.arguments).empty()) partial.call.arguments = "{}";
        delta.calls.push_back(partial.call);
    }
}

Result<void> ChatReader::take_openai_choice(const json::object& choice, ChatDelta& delta)
{
    const auto* message = json::find_object(choice, "delta");
    if (!message) message = json::find_object(choice, "message");
    if (message) {
        if (const auto taken = take_text(*message, delta); !taken) return taken.error();
        if (const auto* calls = json::find_array(*message, "tool_calls"))
            for (const auto& call : *calls) {
                const auto* object = call.if_object();
                if (!object) continue;
                if (const auto taken = take_call(*object); !taken) return taken.error();
            }
    }
    if (const auto reason = json::find_string(choice, "finish_reason"); reason && !reason->empty()) {
        finished_ = true;
        result_.finish_reason = one_line(*reason, 40);
    }
    return {};
}

Result<ChatDelta> ChatReader::read_openai(std::string_view data)
{
    ChatDelta delta;
    if (trim(data).empty()) return delta;
    if (trim(data) == "[DONE]") {
        ended_ = true;
        return delta;
    }
    const auto document = parse(data, "event");
    if (!document) return document.error();
    // The chunk that tells the usage has no choices.
    if (const auto* choices = json::find_array(*document, "choices"); choices && !choices->empty())
        if (const auto* choice = choices->front().if_object()) {
            if (const auto taken = take_openai_choice(*choice, delta); !taken) return taken.error();
        }
    if (const auto* usage = json::find_object(*document, "usage"))
        result_.usage = {tokens(*usage, "prompt_tokens"), tokens(*usage, "completion_tokens"), true};
    return delta;
}

Result<ChatDelta> ChatReader::read_ollama(std::string_view line)
{
    ChatDelta delta;
    if (trim(line).empty()) return delta;
    const auto document = parse(line, "line");
    if (!document) return document.error();
    if (const auto* message = json::find_object(*document, "message")) {
        if (const auto taken = take_text(*message, delta); !taken) return taken.error();
        if (const auto* calls = json::find_array(*message, "tool_calls"))
            for (const auto& call : *calls) {
                const auto* object = call.if_object();
                if (!object) continue;
                // Each comes whole, and its index, where there is one, starts anew in every line.
                give_calls(delta);
                if (const auto taken = take_call(*object); !taken) return taken.error();
            }
    }
    if (json::find_bool(*document, "done").value_or(false)) {
        ended_ = finished_ = true;
        result_.finish_reason = calls_.empty() ? one_line(json::find_string(*document, "done_reason").value_or("stop"), 40) : "tool_calls";
        const bool told = json::find(*document, "eval_count") || json::find(*document, "prompt_eval_count");
        result_.usage = {tokens(*document, "prompt_eval_count"), tokens(*document, "eval_count"), told};
    }
    return delta;
}

Result<ChatDelta> ChatReader::finish()
{
    if (!finished_ && !anything_came_)
        return Error{Code::provider_failed, fmt::format("{} ended without an answer. Check the model's name and the service's own log.", who_)};
    if (!finished_ && !ended_) return Error{Code::closed, fmt::format("{} broke off amid its answer. Try again.", who_)};
    ended_ = true;
    ChatDelta delta;
    delta.text = think_.finish();
    give_calls(delta);
    if (result_.finish_reason.empty()) result_.finish_reason = calls_.empty() ? "stop" : "tool_calls";
    return delta;
}

}  // namespace repartee::providers
