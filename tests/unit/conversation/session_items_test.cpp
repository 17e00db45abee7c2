#include "talk.hpp"

using namespace test;

// A message is over, and its response is not.
namespace {

/// A response that says one sentence of 1 s to its end, and then `goes_on`.
struct TwoItems : Script {
    TwoItems() : Script(Talk::lasting())
    {
        live();
        reply("item_said", 1'000, false);
        upstream({{"type", "response.output_audio_transcript.delta"}, {"response_id", "resp_1"}, {"item_id", "item_said"}, {"delta", "Let me check."}});
        upstream({{"type", "response.output_audio.done"}, {"response_id", "resp_1"}, {"item_id", "item_said"}, {"content_index", 0}});
    }
    TwoItems& item(std::string_view type, json::object given)
    {
        upstream({{"type", type}, {"response_id", "resp_1"}, {"output_index", 1}, {"item", std::move(given)}});
        return *this;
    }
    TwoItems& call(bool complete)
    {
        json::object given{{"id", "item_call"}, {"type", "function_call"}, {"name", "open_door"}, {"call_id", "call_1"}, {"arguments", ""}};
        item("response.output_item.added", given);
        given["arguments"] = "{}";
        given["status"] = "completed";
        if (complete) item("response.output_item.done", given);
        return *this;
    }
    TwoItems& message()
    {
        item("response.output_item.added", {{"id", "item_more"}, {"type", "message"}, {"role", "assistant"}, {"status", "in_progress"}});
        upstream_text(delta_event("item_more", 200));
        return *this;
    }

    /// The response.create events that the next service gets.
    std::vector<json::object> creates_of_the_next()
    {
        session.on_upstream_lost({Code::closed, "gone"}, clock.now);
        upstream({{"type", "session.created"}, {"session", json::object{{"model", "gpt-test"}}}});
        to_upstream();
        upstream({{"type", "session.updated"}, {"session", json::object{{"id", "sess_next"}}}});
        auto events = to_upstream();
        std::erase_if(events, [](const json::object& event) { return json::find_string(event, "type") != "response.create"; });
        return events;
    }
};

}  // namespace

TEST_CASE("a response that was lost behind its first message is asked to go on, unless that was all of it")
{
    CHECK(TwoItems().creates_of_the_next().empty());
    CHECK(TwoItems().call(true).creates_of_the_next().empty());
    const auto call = TwoItems().call(false).creates_of_the_next();
    REQUIRE(call.size() == 1);
    CHECK(json::find_string(call[0], "response.instructions").value_or("").find("broken off") != std::string_view::npos);
    const auto message = TwoItems().message().creates_of_the_next();
    REQUIRE(message.size() == 1);
    CHECK(json::find_string(message[0], "response.instructions").value_or("").find("broken off") != std::string_view::npos);
}
