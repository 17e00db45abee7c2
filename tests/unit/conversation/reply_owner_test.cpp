#include "repartee/conversation/reply_owner.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <string>
#include <vector>

using namespace repartee;
using conversation::Create;
using conversation::read_create;
using conversation::ReplyOwner;
using Cancel = ReplyOwner::Cancel;
using How = ReplyOwner::Due::How;
using Verdict = ReplyOwner::Verdict;

namespace {

const Instant start{std::chrono::hours(1)};
Instant at(std::int64_t ms) { return start + milliseconds(ms); }

Create client(std::string id, bool bare = true)
{
    Create create{.event_id = std::move(id), .by_client = true, .bare = bare};
    create.text = "create " + create.event_id;
    return create;
}

Create ours(std::string id, bool bare = true)
{
    Create create = client(std::move(id), bare);
    create.by_client = false;
    return create;
}

Create aside(std::string id)
{
    Create create = client(std::move(id), false);
    create.out_of_band = true;
    return create;
}

json::object response(std::string_view id, json::value conversation = "conv_1") { return {{"id", id}, {"conversation_id", std::move(conversation)}}; }

/// Writes a table of orders as it reads: each call appends what leaves to `left`.
struct Table {
    ReplyOwner replies;
    std::int64_t ms = 0;
    std::vector<std::string> left;

    Table() { replies.on_upstream_ready(at(0)); }
    Table& pump()
    {
        while (auto create = replies.next(at(ms))) left.push_back(create->event_id);
        return *this;
    }
    Table& ask(Create create)
    {
        replies.ask(std::move(create), at(ms));
        return pump();
    }
    Table& item(std::string_view id)
    {
        replies.on_item_sent(id, "e_" + std::string(id));
        return *this;
    }
    Table& added(std::string_view id)
    {
        replies.on_item_added(id);
        return *this;
    }
    ReplyOwner::Created created_said{};
    Table& created(std::string_view id)
    {
        created_said = replies.on_created(response(id), at(ms));
        return pump();
    }
    Table& done(std::string_view id)
    {
        replies.on_done(id, at(ms));
        return pump();
    }
    Table& speech(bool interrupts = true)
    {
        replies.on_speech_started(true, interrupts, at(ms));
        return pump();
    }
    Table& stopped()
    {
        replies.on_speech_stopped(true, at(ms));
        return pump();
    }
    Table& committed(std::string_view id = "u", bool answers = true)
    {
        replies.on_committed(id, answers, at(ms));
        return pump();
    }
    Verdict verdict{};
    Table& error(std::string_view code, std::string_view quoted = {}, std::string_view message = {})
    {
        verdict = replies.on_error(code, message, quoted, at(ms));
        return pump();
    }
    Table& active(std::string_view quoted = {}) { return error("conversation_already_has_active_response", quoted); }
    Table& wait(std::int64_t more_ms)
    {
        // As the session does: wakes when asked to.
        const std::int64_t until = ms + more_ms;
        for (int i = 0; i < 100; ++i) {
            const auto wake = replies.wake_at();
            if (!wake || *wake > at(until)) break;
            ms = std::max(ms, std::chrono::duration_cast<milliseconds>(*wake - start).count());
            pump();
        }
        ms = until;
        return pump();
    }
    std::vector<std::string> settled()
    {
        std::vector<std::string> ids;
        while (auto id = replies.take_settled()) ids.push_back(*id);
        return ids;
    }
};

using Ids = std::vector<std::string>;

}  // namespace

TEST_CASE("what a response.create asks for")
{
    const auto read = [](std::string_view text) { return read_create(json::parse_object(text).value()); };
    CHECK(read(R"({"type":"response.create","event_id":"a"})").event_id == "a");
    for (const char* text : {R"({})", R"({"response":null})", R"({"response":{}})", R"({"response":{"conversation":"auto"}})",
        R"({"response":{"output_modalities":["audio"],"tools":null}})",
                             R"({"response":{"modalities":["text","audio"]}})"}) {
        INFO(text);
        CHECK(read(text).bare);
        CHECK_FALSE(read(text).out_of_band);
    }
    for (const char* text : {R"({"response":{"instructions":"x"}})", R"({"response":{"output_modalities":["text"]}})",
        R"({"response":{"metadata":{"a":"b"}}})", R"({"response":{"input":[]}})"})
        CHECK_FALSE(read(text).bare);
    CHECK(read(R"({"response":{"conversation":"none"}})").out_of_band);
}

TEST_CASE("one response at a time; the newest create is held and leaves after response.done")
{
    Table t;
    t.ask(client("a"));
    CHECK(t.left == Ids{"a"});
    t.ask(client("b")).ask(client("c"));
    t.created("R1");
    CHECK(t.left == Ids{"a"});
    CHECK(t.settled() == Ids{"a"});
    CHECK(t.replies.is_generating());
    t.done("R1");
    CHECK(t.left == Ids{"a", "c"});
    CHECK(t.replies.tally().replaced == 1);
    t.created("R1").created("R2").created("R2").done("R1").done("R2").done("R2");  // told again
    CHECK_FALSE(t.replies.is_busy());
    CHECK(t.left == Ids{"a", "c"});
}

TEST_CASE("nothing leaves before the service is ready; what we would ask for does not displace what the client wants")
{
    ReplyOwner replies;
    CHECK(replies.ask(client("a", false), at(0)));
    CHECK(replies.ask(ours("greeting"), at(0)));
    CHECK_FALSE(replies.next(at(0)));
    CHECK_FALSE(replies.wake_at());
    replies.on_upstream_ready(at(60'000));
    CHECK(replies.next(at(60'000))->event_id == "a");
    CHECK_FALSE(replies.next(at(60'000)));
    Create prompt = ours("prompt", false);
    prompt.may_wait = false;
    CHECK_FALSE(replies.ask(prompt, at(60'000)));
    CHECK(replies.tally().stale == 2);
}

TEST_CASE("tool outputs before response.done: the create waits for it")
{
    Table t;
    t.ask(client("a")).created("R1");
    t.item("out1").ask(client("b"));
    CHECK(t.left == Ids{"a"});
    t.added("out1").done("R1");
    CHECK(t.left == Ids{"a", "b"});
}

TEST_CASE("cancel, then create: it leaves after response.done, or when that never comes")
{
    Table t;
    t.ask(client("a")).created("R1");
    CHECK(t.replies.on_cancel("", at(0)) == Cancel::send_first);
    CHECK(t.replies.on_cancel("", at(0)) == Cancel::not_needed);
    CHECK(t.replies.on_cancel("R1", at(0)) == Cancel::not_needed);
    t.ask(client("b"));
    CHECK(t.left == Ids{"a"});
    SECTION("done") { t.done("R1"); }
    SECTION("never done")
    {
        t.wait(4'900);
        CHECK(t.left == Ids{"a"});
        t.wait(200);
    }
    SECTION("the service knows of nothing to cancel")
    {
        t.error("response_cancel_not_active");
        CHECK(t.verdict == Verdict::harmless);
        CHECK(t.left == Ids{"a"});
        t.wait(1'600);
    }
    CHECK(t.left == Ids{"a", "b"});
}

TEST_CASE("a cancel is only sent when there is something to cancel")
{
    Table t;
    CHECK(t.replies.on_cancel("", at(0)) == Cancel::not_needed);
    CHECK(t.replies.on_cancel("R9", at(0)) == Cancel::not_needed);
    t.ask(client("a"));
    CHECK(t.replies.on_cancel("", at(0)) == Cancel::send_behind);
    CHECK(t.replies.on_cancel("", at(0)) == Cancel::not_needed);
    t.created("R1");
    CHECK_FALSE(t.created_said.unwanted);  // the service cancels it: the cancel came behind the create
    CHECK(t.replies.on_cut(at(0)) == Cancel::not_needed);
    t.ask(client("b"));
    CHECK(t.replies.on_cancel("", at(0)) == Cancel::not_needed);  // but it takes what is held with it
    t.done("R1");
    CHECK(t.left == Ids{"a"});
    CHECK(t.replies.tally().cancelled == 1);

    t.ask(client("c")).created("R2").ask(client("d"));
    CHECK(t.replies.on_cut(at(0)) == Cancel::send_first);  // a voice does not
    t.done("R2");
    CHECK(t.left == Ids{"a", "c", "d"});
}

TEST_CASE("a turn that the service answers: a create waits for it, and is dropped when it only asked for an answer")
{
    Table t;
    bool bare = true;
    SECTION("from speech on") { t.speech().ask(client("a")).stopped().committed(); }
    SECTION("between its end and the commit") { t.speech().stopped().ask(client("a")).committed(); }
    SECTION("after the commit") { t.speech().stopped().committed().ask(client("a")); }
    SECTION("idle timeout: a commit without speech") { t.committed().ask(client("a")); }
    SECTION("with parameters")
    {
        bare = false;
        t.speech().ask(client("a", false)).stopped().committed();
    }
    SECTION("a tool output that the answer has seen") { t.speech().item("o").added("o").ask(client("a")).stopped().committed(); }
    CHECK(t.left.empty());
    t.created("R1");
    CHECK(t.left.empty());
    CHECK(t.replies.tally().answered == (bare ? 1 : 0));
    t.done("R1");
    CHECK(t.left == (bare ? Ids{} : Ids{"a"}));
}

TEST_CASE("a tool output newer than the answer must still be answered")
{
    Table t;
    t.speech().stopped().committed();
    SECTION("confirmed after response.created") { t.item("o").ask(client("a")).created("R1").added("o"); }
    SECTION("sent after it") { t.created("R1").item("o").ask(client("a")).added("o"); }
    t.done("R1");
    CHECK(t.left == Ids{"a"});
    t.created("R2").done("R2");
    // An item that was refused is nothing to answer.
    t.item("bad").ask(ours("x")).error("invalid_value", "e_bad");
    CHECK(t.verdict == Verdict::not_ours);
}

TEST_CASE("an answer that never comes holds nothing up for ever")
{
    Table t;
    SECTION("of the service")
    {
        t.committed().ask(client("a")).wait(14'900);
        CHECK(t.left.empty());
        t.wait(200);
        CHECK(t.left == Ids{"a"});
    }
    SECTION("to a voice that never ends")
    {
        t.speech().ask(client("a")).wait(29'900);
        CHECK(t.left.empty());
        t.wait(200);
        CHECK(t.left == Ids{"a"});
    }
    SECTION("to a voice that is taken back")
    {
        t.speech().ask(client("a"));
        t.replies.on_cleared();
        t.pump();
        CHECK(t.left == Ids{"a"});
    }
    SECTION("to a create")
    {
        t.ask(client("a")).ask(client("b")).wait(15'100);
        CHECK(t.left == Ids{"a", "b"});
        CHECK(t.settled() == Ids{"a"});
        t.created("R1").done("R1");
    }
    SECTION("to a create that is refused")
    {
        t.ask(client("a")).ask(client("b")).error("invalid_value", "a");
        CHECK(t.verdict == Verdict::show);
        CHECK(t.left == Ids{"a", "b"});
    }
    SECTION("to one of ours that is refused")
    {
        t.ask(ours("a")).ask(client("b")).error("invalid_value", "a");
        CHECK(t.verdict == Verdict::harmless);
        CHECK(t.left == Ids{"a", "b"});
    }
    SECTION("to one that is done without having been created")
    {
        t.ask(client("a")).ask(client("b")).done("R1");
        CHECK(t.left == Ids{"a", "b"});
        t.done("");
    }
}

TEST_CASE("commits of the client's own are not answered by the service")
{
    Table t;
    t.replies.on_commit_sent();
    t.committed("u", true).ask(client("a"));
    CHECK(t.left == Ids{"a"});
    t.created("R1").done("R1");
    // VAD's own commit was first: the client's finds nothing.
    t.replies.on_commit_sent();
    t.committed("v", true).error("input_audio_buffer_commit_empty");
    CHECK(t.verdict == Verdict::harmless);
    t.replies.on_commit_sent();
    t.error("input_audio_buffer_commit_empty");
    CHECK(t.verdict == Verdict::not_ours);
}

TEST_CASE("crossings: the service began an answer while a create was under way")
{
    Table t;
    t.ask(client("a", false));
    SECTION("refused before the service's response is known")
    {
        t.committed().active("a");
        CHECK(t.verdict == Verdict::harmless);
        t.created("R1").done("R1");
    }
    SECTION("its response is taken for the create's at first")
    {
        t.committed().created("R1").active("a");
        CHECK(t.verdict == Verdict::harmless);
        CHECK(t.left == Ids{"a"});
        t.done("R1");
    }
    SECTION("nothing seems to run: again, a little later")
    {
        t.active("a").wait(400);
        CHECK(t.left == Ids{"a"});
        t.wait(200);
    }
    SECTION("a service that does not quote") { t.active().wait(600); }
    CHECK(t.left == Ids{"a", "a"});
    CHECK_FALSE(t.settled().empty());
    for (int i = 0; i < 2; ++i) t.active("a").wait(600);
    CHECK(t.verdict == Verdict::harmless);
    t.active("a").wait(600);
    CHECK(t.verdict == Verdict::show);
    CHECK(t.left.size() == 4);
    CHECK_FALSE(t.replies.is_busy());
}

TEST_CASE("a refused create that only asked for an answer is answered by the service's")
{
    Table t;
    t.ask(client("a")).committed().created("R1").active("a").done("R1").wait(20'000);
    CHECK(t.left == Ids{"a"});
    CHECK(t.replies.tally().answered == 1);
}

TEST_CASE("a turn that the service could not answer since a response ran is answered by us")
{
    Table t;
    t.ask(client("a")).created("R1").speech(false).stopped().committed("u");
    SECTION("it says so")
    {
        t.active();
        CHECK(t.verdict == Verdict::harmless);
        CHECK(t.left.size() == 1);
        t.done("R1");
    }
    SECTION("it says nothing")
    {
        t.wait(20'000).done("R1");
        CHECK(t.left.size() == 1);
        t.wait(1'600);
    }
    SECTION("it says so too early for us to know what ran")
    {
        t.done("R1").active();
        CHECK(t.left.size() == 1);
        t.wait(600);
    }
    REQUIRE(t.left == Ids{"a", "repartee_answer_1"});
    CHECK(t.replies.tally().owed == 1);
    t.created("R2");
    const auto dropped = t.replies.on_turn_dropped("u", at(t.ms));
    CHECK(dropped.response_id == "R2");
    CHECK(dropped.cancel);
}

TEST_CASE("it answers late by itself: nothing is asked twice")
{
    Table t;
    t.ask(client("a")).created("R1").speech(true).done("R1").stopped().committed("u").wait(5'000).created("R2").done("R2").wait(20'000);
    CHECK(t.left == Ids{"a"});
}

TEST_CASE("a turn that was none: its answer is not wanted, whenever it comes")
{
    Table t;
    const auto drop = [&] { return t.replies.on_turn_dropped("u", at(t.ms)); };
    SECTION("before the commit")
    {
        CHECK(drop().response_id.empty());
        t.stopped().committed("u").created("R1");
        CHECK(t.created_said.unwanted);
    }
    SECTION("before response.created")
    {
        t.stopped().committed("u");
        CHECK(drop().response_id.empty());
        t.created("R1");
        CHECK(t.created_said.unwanted);
        CHECK(t.replies.on_cancel("R1", at(0)) == Cancel::send_first);
        CHECK(t.replies.on_cancel("R1", at(0)) == Cancel::not_needed);
    }
    SECTION("while it runs")
    {
        t.stopped().committed("u").created("R1");
        CHECK_FALSE(t.created_said.unwanted);
        const auto dropped = drop();
        CHECK(dropped.response_id == "R1");
        CHECK(dropped.cancel);
        CHECK_FALSE(drop().cancel);
    }
    SECTION("when it is done but not heard")
    {
        t.stopped().committed("u").created("R1").done("R1");
        const auto dropped = drop();
        CHECK(dropped.response_id == "R1");
        CHECK_FALSE(dropped.cancel);
    }
    SECTION("before we ask in the service's stead")
    {
        t.ask(client("a")).created("R0").committed("u").active();
        drop();
        t.done("R0").wait(20'000);
        CHECK(t.left == Ids{"a"});
    }
    SECTION("and it may still say that it cannot")
    {
        t.ask(client("a")).created("R0").committed("u");
        drop();
        t.active().done("R0").wait(20'000);
        CHECK(t.left == Ids{"a"});
    }
    SECTION("after we have asked in its stead")
    {
        t.ask(client("a")).created("R0").committed("u").active().done("R0");
        drop();
        t.created("R1");
        CHECK(t.created_said.unwanted);
    }
    SECTION("what seemed answered by it is asked after all")
    {
        t.stopped().ask(client("a")).committed("u").created("R1");
        CHECK(t.left.empty());
        CHECK(drop().cancel);
        t.done("R1");
        CHECK(t.left == Ids{"a"});
        CHECK(t.replies.tally().answered == 0);
    }
    SECTION("what the client asked for is wanted")
    {
        t.ask(client("a")).committed("u").created("R1");
        CHECK(drop().response_id.empty());
        CHECK_FALSE(t.replies.running().front().cancelled);
    }
}

TEST_CASE("a voice before the answer has begun: the answer is not wanted, the next one is")
{
    Table t;
    t.speech().stopped().committed("u");
    CHECK(t.replies.on_cut(at(0)) == Cancel::not_needed);
    t.speech().created("R1");
    CHECK(t.created_said.unwanted);
    t.done("R1").stopped().committed("v").created("R2");
    CHECK_FALSE(t.created_said.unwanted);
}

TEST_CASE("a voice that turns out to be a turn when the service has begun to answer it already")
{
    Table t;
    t.speech(false).stopped();
    const auto cut = [&] {
        const Cancel cancel = t.replies.on_cut("u", at(t.ms));
        t.pump();
        return cancel;
    };
    SECTION("not yet committed")
    {
        CHECK(cut() == Cancel::not_needed);
        t.committed("u").created("R1");
        CHECK_FALSE(t.created_said.unwanted);
        CHECK(t.left.empty());
    }
    SECTION("not yet created")
    {
        t.committed("u");
        CHECK_FALSE(t.replies.is_busy_besides("u"));
        CHECK(t.replies.is_busy_besides("v"));
        CHECK(cut() == Cancel::not_needed);
        t.created("R1");
        CHECK_FALSE(t.created_said.unwanted);
        CHECK_FALSE(t.replies.is_busy_besides("u"));
        CHECK(t.replies.is_busy_besides("v"));
        CHECK(t.left.empty());
    }
    SECTION("running: asked for again")
    {
        t.committed("u").created("R1");
        CHECK(cut() == Cancel::send_first);
        CHECK(t.left.empty());
        t.done("R1");
        CHECK(t.left == Ids{"repartee_answer_1"});
    }
    SECTION("done, and waiting to be heard: asked for again")
    {
        t.committed("u").created("R1").done("R1");
        CHECK(cut() == Cancel::not_needed);
        CHECK(t.left == Ids{"repartee_answer_1"});
    }
    SECTION("another reply ran")
    {
        Table o;
        o.ask(client("a")).created("R0").speech(false).stopped().committed("u").active();
        CHECK(o.replies.is_busy_besides("u"));
        CHECK(o.replies.on_cut("u", at(0)) == Cancel::send_first);
        o.done("R0");
        CHECK(o.left == Ids{"a", "repartee_answer_1"});
        CHECK_FALSE(o.replies.is_busy_besides("u"));
    }
}

TEST_CASE("out of band: at once, beside the others, told apart")
{
    Table t;
    t.ask(client("a")).created("R1").ask(aside("x")).ask(aside("y"));
    CHECK(t.left == Ids{"a", "x", "y"});
    CHECK(t.replies.on_created(response("X", nullptr), at(0)).out_of_band);
    CHECK(t.replies.on_created(json::object{{"id", "Y"}}, at(0)).out_of_band);
    CHECK(t.settled() == Ids{"a", "x", "y"});
    t.ask(client("b")).done("X");
    CHECK(t.left.size() == 3);
    t.done("R1");
    CHECK(t.left == Ids{"a", "x", "y", "b"});
    CHECK(t.replies.on_cancel("", at(0)) == Cancel::send_behind);
    CHECK(t.replies.on_cancel("Y", at(0)) == Cancel::send_first);
    // While both kinds are awaited a null conversation tells.
    t.ask(aside("z"));
    CHECK_FALSE(t.replies.on_created(response("R2"), at(0)).out_of_band);
    CHECK(t.replies.on_created(response("Z", nullptr), at(0)).out_of_band);
    int taken = 0;
    while (t.replies.ask(aside("n" + std::to_string(taken)), at(0)) && taken < 1'000) ++taken;
    CHECK(taken == 16);
    t.pump();
    t.error("invalid_value", "n3");
    CHECK(t.verdict == Verdict::show);
    t.wait(16'000);
    CHECK(t.replies.ask(aside("again"), at(t.ms)));
}

TEST_CASE("harmless errors")
{
    Table t;
    for (const char* code : {"conversation_already_has_active_response", "response_cancel_not_active"}) {
        t.error(code);
        CHECK(t.verdict == Verdict::harmless);
        t.error(code, "unknown");
        CHECK(t.verdict == Verdict::harmless);
    }
    t.error("invalid_value", "c1", "Audio content of 1200ms is already shorter than 1300ms");
    CHECK(t.verdict == Verdict::harmless);
    t.error("unsupported_content_type", "c1", "Only model output audio messages can be truncated");
    CHECK(t.verdict == Verdict::harmless);
    t.error("invalid_value", "c1", "Invalid value: 'foo'.");
    CHECK(t.verdict == Verdict::not_ours);
    t.error("", "", "");
    CHECK(t.verdict == Verdict::not_ours);
}

TEST_CASE("what is due when the service is lost")
{
    Table t;
    const auto lose = [&](bool heard) { return t.replies.on_upstream_lost(heard); };
    SECTION("nothing was asked for") { CHECK(lose(false).how == How::nothing); }
    SECTION("it ran, nothing of it was heard")
    {
        t.ask(client("a", false)).created("R1");
        const auto due = lose(false);
        CHECK(due.how == How::anew);
        REQUIRE(due.create);
        CHECK(due.create->text == "create a");
    }
    SECTION("some of it was heard")
    {
        t.ask(client("a", false)).created("R1");
        CHECK(lose(true).how == How::go_on);
    }
    SECTION("an answer of the service's own")
    {
        t.committed().created("R1");
        const auto due = lose(false);
        CHECK(due.how == How::anew);
        CHECK_FALSE(due.create);
    }
    SECTION("a turn was committed and not yet answered")
    {
        t.speech().stopped().committed();
        CHECK(lose(false).how == How::anew);
    }
    SECTION("a turn was committed, and the reply that its voice cut was not yet done")
    {
        t.committed("u1").created("R1").speech().stopped().committed("u2");
        CHECK(lose(true).how == How::anew);
    }
    SECTION("a turn was not yet committed: the next service commits it")
    {
        t.speech().stopped();
        CHECK(lose(false).how == How::nothing);
    }
    SECTION("cancelled")
    {
        t.ask(client("a")).created("R1");
        t.replies.on_cancel("", at(0));
        CHECK(lose(true).how == How::nothing);
    }
    SECTION("cut off by a voice")
    {
        t.ask(client("a")).created("R1").speech(true);
        CHECK(lose(true).how == How::nothing);
    }
    SECTION("its function call is with the client")
    {
        t.ask(client("a")).created("R1");
        t.replies.on_function_call_done("R1");
        CHECK(lose(false).how == How::nothing);
    }
    SECTION("done")
    {
        t.ask(client("a")).created("R1").done("R1");
        CHECK(lose(true).how == How::nothing);
    }
    CHECK_FALSE(t.replies.is_busy());
    t.replies.on_upstream_ready(at(5'000));
    t.ms = 5'000;
    t.ask(client("z"));
    CHECK(t.left.back() == "z");
}

TEST_CASE("what was held or under way leaves again, once")
{
    Table t;
    SECTION("held: it answers everything")
    {
        t.ask(client("a")).created("R1").item("o").ask(client("b"));
        CHECK(t.replies.on_upstream_lost(true).how == How::nothing);
        t.wait(60'000);
        CHECK(t.left == Ids{"a"});
        t.replies.on_upstream_ready(at(t.ms));
        t.pump();
        CHECK(t.left == Ids{"a", "b"});
    }
    SECTION("under way: the uplink sends it again")
    {
        t.ask(client("a"));
        CHECK(t.replies.on_upstream_lost(false).how == How::nothing);
        CHECK(t.settled().empty());
        t.wait(60'000);
        t.replies.on_upstream_ready(at(t.ms));
        t.wait(10'000).ask(client("b"));
        CHECK(t.left == Ids{"a"});
        t.created("R1").done("R1");
        CHECK(t.left == Ids{"a", "b"});
    }
    SECTION("under way and cancelled: the uplink is told to forget it")
    {
        t.ask(client("a"));
        t.replies.on_cancel("", at(0));
        CHECK(t.replies.on_upstream_lost(false).how == How::nothing);
        CHECK(t.settled() == Ids{"a"});
    }
    SECTION("out of band")
    {
        t.ask(aside("x"));
        t.replies.on_created(response("X", nullptr), at(0));
        CHECK(t.replies.on_upstream_lost(false).how == How::nothing);
        CHECK_FALSE(t.replies.is_generating());
        t.replies.on_upstream_ready(at(10));
        t.pump();
        CHECK(t.left == Ids{"x", "x"});
    }
}
