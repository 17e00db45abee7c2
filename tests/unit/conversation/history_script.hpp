#pragma once
#include "repartee/conversation/history.hpp"

#include <catch2/catch.hpp>

#include <sstream>
#include <string>
#include <vector>

/// Conversations in short hand, so that the tests of History are tables. One line is one event; ids are single words, "< ID" names the item before.
///   said U1 [< ID]               the user's spoken turn: its item, without words      committed U1 [< ID]   the event before that
///   words U1 text / no-words U1  its transcript came / failed
///   typed U1 [< ID] : text       a message that the client created                    system S1 [< ID] : text
///   reply A1 [< ID]              the item of a reply that begins                      item A1 STATUS : text    as conversation.item.done
///   delta A1 text / whole A1 text
///   call C1 CALL NAME ARGUMENTS  a whole function call                                calling C1 CALL NAME (begun), arguments C1 JSON (done)
///   output O1 CALL text
///   heard A1 MS AUDIO_MS / cut A1 MS AUDIO_MS      delete ID
namespace test {

using namespace repartee;
using conversation::History;
using conversation::Line;

inline json::object message_item(const std::string& id, const std::string& role, const std::string& status, json::array content)
{
    json::object item{{"id", id}, {"type", "message"}, {"role", role}, {"content", std::move(content)}};
    if (status != "-") item["status"] = status;
    return item;
}

inline std::string rest_of(std::istringstream& in)
{
    std::string rest;
    std::getline(in >> std::ws, rest);
    return rest;
}

inline void play_line(History& history, const std::string& line)
{
    std::istringstream in(line);
    std::string verb, id;
    in >> verb >> id;
    const auto previous = [&]() -> std::optional<std::string> {
        std::string mark, before;
        const auto here = in.tellg();
        if (in >> mark && mark == "<" && in >> before) return before;
        in.clear();
        in.seekg(here);
        return std::nullopt;
    };
    const auto text = [&] {
        std::string colon;
        in >> colon;
        REQUIRE(colon == ":");
        return rest_of(in);
    };
    const auto word = [&] {
        std::string one;
        in >> one;
        return one;
    };
    if (verb == "committed") {
        const auto before = previous();
        return history.on_committed(id, before);
    }
    if (verb == "said") {
        const auto before = previous();
        return history.on_item(message_item(id, "user", "completed", {json::object{{"type", "input_audio"}, {"transcript", nullptr}}}), before);
    }
    if (verb == "words") return history.on_user_transcript(id, rest_of(in));
    if (verb == "no-words") return history.on_user_transcript_failed(id);
    if (verb == "typed" || verb == "system") {
        const auto before = previous();
        const json::object part{{"type", "input_text"}, {"text", text()}};
        return history.on_item(message_item(id, verb == "typed" ? "user" : "system", "completed", {part}), before);
    }
    if (verb == "reply") {
        const auto before = previous();
        return history.on_item(message_item(id, "assistant", "in_progress", {}), before);
    }
    if (verb == "item") {
        const std::string status = word();
        return history.on_item(message_item(id, "assistant", status, {json::object{{"type", "output_audio"}, {"transcript", text()}}}));
    }
    if (verb == "delta") return history.on_reply_text(id, line.substr(line.find(id) + id.size() + 1));
    if (verb == "whole") return history.on_reply_text_done(id, rest_of(in));
    if (verb == "call" || verb == "calling") {
        json::object item{{"id", id}, {"type", "function_call"}, {"status", verb == "call" ? "completed" : "in_progress"}};
        item["call_id"] = word();
        item["name"] = word();
        item["arguments"] = rest_of(in);
        return history.on_item(item);
    }
    if (verb == "arguments") return history.on_function_arguments_done(id, {}, {}, rest_of(in));
    if (verb == "output") {
        json::object item{{"id", id}, {"type", "function_call_output"}};
        item["call_id"] = word();
        item["output"] = rest_of(in);
        return history.on_item(item);
    }
    if (verb == "heard" || verb == "cut") {
        std::int64_t ms = 0, audio_ms = 0;
        in >> ms >> audio_ms;
        return history.on_heard(id, ms, audio_ms, verb == "cut");
    }
    if (verb == "delete") return history.on_item_deleted(id);
    FAIL("no such verb: " << line);
}

inline void play(History& history, const std::vector<std::string>& script)
{
    for (const std::string& line : script) play_line(history, line);
}

/// A replayed event in short: "U1 user: text", "C1 call_1 name(arguments)", "O1 call_1 -> output". The note: "note".
inline std::string in_short(const std::string& event)
{
    const auto parsed = json::parse_object(event);
    REQUIRE(parsed);
    const json::object& item = *json::find_object(*parsed, "item");
    const auto member = [&](std::string_view key) { return std::string(json::find_string(item, key).value_or("?")); };
    if (member("id") == "item_repartee_note") return "note";
    if (member("type") == "function_call") return member("id") + " " + member("call_id") + " " + member("name") + "(" + member("arguments") + ")";
    if (member("type") == "function_call_output") return member("id") + " " + member("call_id") + " -> " + member("output");
    std::string text = member("id") + " " + member("role") + ":";
    for (const json::value& part : *json::find_array(item, "content")) {
        const auto words = json::find_string(part.as_object(), "text");
        text += " " + std::string(words ? *words : json::find_string(part.as_object(), "image_url").value_or("?"));
    }
    return text;
}

/// What a new service would be told, without the note.
inline std::vector<std::string> told(const History& history)
{
    std::vector<std::string> all;
    for (const std::string& event : history.replay().events)
        if (const std::string text = in_short(event); text != "note") all.push_back(text);
    return all;
}

}  // namespace test
