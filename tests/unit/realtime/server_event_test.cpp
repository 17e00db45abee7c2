#include "repartee/realtime/server_event.hpp"

#include "repartee/realtime/event_type.hpp"

#include <catch2/catch.hpp>

using namespace repartee;
using namespace repartee::realtime;

namespace {

json::object parsed(std::string_view text)
{
    auto event = json::parse_object(text);
    REQUIRE(event.has_value());
    return *event;
}

}  // namespace

TEST_CASE("a server event starts with type and event id, its members follow in order")
{
    const json::object members{{"response_id", "resp_1"}, {"output_index", 0}, {"item", nullptr}};
    const std::string text = server_event("response.output_item.added", members);
    CHECK(text.starts_with(R"({"type":"response.output_item.added","event_id":"event_)"));
    CHECK(text.ends_with(R"(,"response_id":"resp_1","output_index":0,"item":null})"));
    CHECK(peek_type(text) == "response.output_item.added");
}

TEST_CASE("every server event has its own id")
{
    const auto first = parsed(server_event("input_audio_buffer.cleared"));
    const auto second = parsed(server_event("input_audio_buffer.cleared"));
    CHECK(first.size() == 2);
    CHECK(json::find_string(first, "event_id") != json::find_string(second, "event_id"));
}

TEST_CASE("members cannot replace the envelope")
{
    const auto event = parsed(server_event("error", {{"type", "other"}, {"event_id", "mine"}, {"x", 1}}));
    CHECK(json::find_string(event, "type") == "error");
    CHECK(json::find_string(event, "event_id") != "mine");
    CHECK(json::find_int(event, "x") == 1);
}

TEST_CASE("an error event has all five members, null where there is nothing to say")
{
    const auto event = parsed(error_event(Error{Code::no_active_response, "Nothing to cancel."}));
    const json::object* error = json::find_object(event, "error");
    REQUIRE(error);
    CHECK(error->size() == 5);
    CHECK(json::find_string(*error, "type") == "invalid_request_error");
    CHECK(json::find_string(*error, "code") == "response_cancel_not_active");
    CHECK(json::find_string(*error, "message") == "Nothing to cancel.");
    CHECK(error->at("param").is_null());
    CHECK(error->at("event_id").is_null());
}

TEST_CASE("an error event quotes the field, the client's event and the peer's code")
{
    const Error error{Code::invalid_value, "A \"message\".", "session.audio.output.voice", "cannot_update_voice"};
    const auto event = parsed(error_event(error, "c\"7"));
    CHECK(json::find_string(event, "error.code") == "cannot_update_voice");
    CHECK(json::find_string(event, "error.param") == "session.audio.output.voice");
    CHECK(json::find_string(event, "error.event_id") == "c\"7");
    CHECK(json::find_string(event, "error.message") == "A \"message\".");
}

TEST_CASE("a failure of ours is a server error")
{
    const auto event = parsed(error_event(Error{Code::provider_failed, "The recogniser did not answer."}));
    CHECK(json::find_string(event, "error.type") == "server_error");
    CHECK(json::find_string(event, "error.code") == "provider_failed");
}
