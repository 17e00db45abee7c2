#include "repartee/voice/interview.hpp"

#include "../../support/run_coroutine.hpp"
#include "fakes.hpp"
#include "recordings.hpp"
#include "repartee/net/task_group.hpp"
#include "sockets.hpp"

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <catch2/catch.hpp>

using namespace repartee;
using namespace repartee::voice;
using testing::webm;
using namespace std::chrono_literals;
using testing::FakeRoles;
using testing::read_until;
using testing::Received;
using testing::run_coroutine;

namespace {

const std::string answer_done = R"({"type":"answer_done"})";

std::span<const std::byte> bytes_of(const std::string& text) { return std::as_bytes(std::span(text)); }

InterviewSettings two_questions()
{
    InterviewSettings settings;
    settings.questions = {"Who are you?", "Why here?"};
    settings.closing_line = "Good bye.";
    settings.language = "en";
    settings.format = audio::ReplyFormat::pcm;
    settings.chunk_bytes = 1'000;
    return settings;
}

/// A server with a database of its own.
struct World {
    store::Database database = store::Database::open(":memory:").value();
    store::MemoryRepository repository{database, {}};
    std::unique_ptr<InterviewBook> book = std::make_unique<InterviewBook>(repository, 100);
    FakeRoles fakes;
    Metrics metrics;
    std::stop_source draining;

    InterviewContext context() { return {fakes.roles(), *book, metrics, nullptr, draining.get_token()}; }
    void restart() { book = std::make_unique<InterviewBook>(repository, 100); }
};

awaitable<void> pause(std::chrono::milliseconds duration)
{
    const auto executor = co_await asio::this_coro::executor;
    asio::steady_timer timer(executor, duration);
    co_await timer.async_wait(asio::use_awaitable);
}

/// A connection of a session, and the server's side of it.
struct Connection {
    Connection(asio::any_io_executor executor, World& world, const std::string& id)
        : sides(testing::websocket_pair(executor)), server(executor, "test")
    {
        server.spawn(run_interview(std::move(sides.server), id, world.context()));
    }
    net::WebSocket& client() { return sides.client; }

    testing::WebSocketPair sides;
    net::TaskGroup server;
};

std::vector<std::string> types(const Received& received)
{
    std::vector<std::string> list;
    for (const std::string& text : received.texts) list.push_back(testing::type_of(text));
    return list;
}

using List = std::vector<std::string>;

}  // namespace

TEST_CASE("an interview over a real socket")
{
    World world;
    world.fakes.tts->pieces = 3;  // 14 400 bytes: chunks cross the borders of the pieces
    world.fakes.stt->answers = {Result<std::string>("I am Jo."), Result<std::string>("Because.")};
    Received first, second, end;
    std::uint16_t close_code = 0;
    std::string close_reason, session_id;
    std::optional<InterviewState> looked;
    run_coroutine([&]() -> awaitable<void> {
        const auto executor = co_await asio::this_coro::executor;
        session_id = world.book->prepare(two_questions());
        Connection connection(executor, world, session_id);
        first = co_await read_until(connection.client(), "question_end");
        co_await connection.client().write_binary(bytes_of(webm));
        co_await connection.client().write_text(answer_done);
        second = co_await read_until(connection.client(), "question_end");
        co_await connection.client().write_binary(bytes_of(webm));
        co_await connection.client().write_text(answer_done);
        end = co_await read_until(connection.client(), "nothing");
        close_code = connection.client().close_code();
        close_reason = connection.client().close_reason();
        co_await connection.server.wait_all();
        auto found = co_await world.book->look(session_id);
        looked = found.value();
    }());
    CHECK(types(first) == List{"question_start", "question_end"});
    CHECK(first.binary.size() == 14'400);
    REQUIRE(first.binary_sizes.size() == 15);
    for (std::size_t i = 0; i < 14; ++i) CHECK(first.binary_sizes[i] == 1'000);
    CHECK(first.binary_sizes[14] == 400);
    CHECK(types(second) == List{"transcribing_start", "answer_text", "question_start", "question_end"});
    CHECK(types(end) == List{"transcribing_start", "answer_text", "closing", "interview_end"});
    CHECK(end.binary.size() == 14'400);
    CHECK(close_code == 1000);
    CHECK(close_reason == "interview_over");
    REQUIRE(looked);
    CHECK(looked->finished);
    CHECK(json::to_text(json::value(transcript_of(*looked))) ==
          R"([{"question":"Who are you?","answer":"I am Jo."},{"question":"Why here?","answer":"Because."}])");
    CHECK(world.metrics.interviews_total.value() == 1);
}

TEST_CASE("a connection dropped amid an answer loses nothing, also when the server restarts")
{
    const bool restarts = GENERATE(false, true);
    World world;
    Received again;
    run_coroutine([&]() -> awaitable<void> {
        const auto executor = co_await asio::this_coro::executor;
        const std::string id = world.book->prepare(two_questions());
        {
            Connection connection(executor, world, id);
            co_await read_until(connection.client(), "question_end");
            co_await connection.client().write_binary(bytes_of(webm));
            co_await pause(50ms);
            connection.client().abort();
            co_await connection.server.wait_all();
        }
        if (restarts) world.restart();
        Connection connection(executor, world, id);
        const Received question = co_await read_until(connection.client(), "question_end");
        again.texts.push_back(question.texts.front());
        co_await connection.client().write_binary(bytes_of(webm + "2"));
        co_await connection.client().write_text(answer_done);
        const Received answered = co_await read_until(connection.client(), "answer_text");
        again.texts.push_back(answered.last());
        connection.client().abort();
        co_await connection.server.wait_all();
    }());
    REQUIRE(again.texts.size() == 2);
    CHECK(again.texts[0].find(R"("index":1,"total":2,"resumed":true)") != std::string::npos);
    CHECK(again.texts[1] == R"({"type":"answer_text","text":"heard 1 heard 2"})");
    REQUIRE(world.fakes.stt->asked.size() == 2);
    CHECK(world.fakes.stt->asked[0].audio.file == webm);
    CHECK(world.fakes.stt->asked[1].audio.file == webm + "2");
    CHECK(world.metrics.interviews_resumed_total.value() == 1);
}

TEST_CASE("an answer that is complete when the connection breaks is transcribed and not asked again")
{
    World world;
    std::string resumed_with;
    run_coroutine([&]() -> awaitable<void> {
        const auto executor = co_await asio::this_coro::executor;
        const std::string id = world.book->prepare(two_questions());
        {
            Connection connection(executor, world, id);
            co_await read_until(connection.client(), "question_end");
            co_await connection.client().write_binary(bytes_of(webm));
            co_await connection.client().write_text(answer_done);
            connection.client().abort();
            co_await connection.server.wait_all();
        }
        Connection connection(executor, world, id);
        const Received question = co_await read_until(connection.client(), "question_end");
        resumed_with = question.texts.front();
        connection.client().abort();
        co_await connection.server.wait_all();
    }());
    // abort() may reset the connection before the server has read answer_done: then the recording is there, and the question comes again.
    const char* const expected = world.fakes.stt->asked.size() == 1 ? "Why here?" : "Who are you?";
    CHECK(resumed_with.find(expected) != std::string::npos);
}

TEST_CASE("a second connection takes the session over, also amid a transcription")
{
    const bool amid_transcription = GENERATE(false, true);
    World world;
    world.fakes.stt->hangs = amid_transcription;
    std::uint16_t close_code = 0;
    std::string close_reason;
    Received taken_over, answered;
    run_coroutine([&]() -> awaitable<void> {
        const auto executor = co_await asio::this_coro::executor;
        const std::string id = world.book->prepare(two_questions());
        Connection first(executor, world, id);
        co_await read_until(first.client(), "question_end");
        co_await first.client().write_binary(bytes_of(webm));
        if (amid_transcription) {
            co_await first.client().write_text(answer_done);
            co_await read_until(first.client(), "transcribing_start");
        }
        co_await pause(50ms);
        Connection second(executor, world, id);
        co_await read_until(first.client(), "nothing");
        close_code = first.client().close_code();
        close_reason = first.client().close_reason();
        taken_over = co_await read_until(second.client(), "question_end");
        world.fakes.stt->hangs = false;
        co_await second.client().write_text(answer_done);
        answered = co_await read_until(second.client(), "answer_text");
        second.client().abort();
        co_await first.server.wait_all();
        co_await second.server.wait_all();
    }());
    CHECK(close_code == 1008);
    CHECK(close_reason == "replaced");
    CHECK(types(taken_over) == List{"question_start", "question_end"});
    CHECK(types(answered) == List{"transcribing_start", "answer_text"});  // what the first connection sent
    CHECK(world.fakes.stt->cancelled == (amid_transcription ? 1 : 0));
}

TEST_CASE("a recogniser that fails is said, and the answer can be tried again")
{
    World world;
    world.fakes.stt->answers = {Result<std::string>(Error{Code::provider_failed, "The service is down."}), Result<std::string>("At last.")};
    Received failed, again;
    run_coroutine([&]() -> awaitable<void> {
        const auto executor = co_await asio::this_coro::executor;
        const std::string id = world.book->prepare(two_questions());
        Connection connection(executor, world, id);
        co_await read_until(connection.client(), "question_end");
        co_await connection.client().write_binary(bytes_of(webm));
        co_await connection.client().write_text(answer_done);
        failed = co_await read_until(connection.client(), "error");
        co_await connection.client().write_text(answer_done);
        again = co_await read_until(connection.client(), "answer_text");
        connection.client().abort();
        co_await connection.server.wait_all();
    }());
    CHECK(types(failed) == List{"transcribing_start", "error"});
    CHECK(failed.last().find(R"("code":"provider_failed")") != std::string::npos);
    CHECK(again.last() == R"({"type":"answer_text","text":"At last."})");
}

TEST_CASE("a voice that fails leaves the interview in writing")
{
    World world;
    world.fakes.tts->failure = Error{Code::provider_failed, "No voice."};
    Received received;
    run_coroutine([&]() -> awaitable<void> {
        const auto executor = co_await asio::this_coro::executor;
        const std::string id = world.book->prepare(two_questions());
        Connection connection(executor, world, id);
        received = co_await read_until(connection.client(), "question_end");
        connection.client().abort();
        co_await connection.server.wait_all();
    }());
    CHECK(types(received) == List{"question_start", "error", "question_end"});
}

TEST_CASE("the first sound comes while the rest of the question is made, and a lost connection stops the voice")
{
    World world;
    world.fakes.tts->hangs = true;
    bool sounded = false;
    run_coroutine([&]() -> awaitable<void> {
        const auto executor = co_await asio::this_coro::executor;
        const std::string id = world.book->prepare(two_questions());
        Connection connection(executor, world, id);
        for (int i = 0; i < 2; ++i) {
            const auto message = co_await connection.client().read();
            sounded = message && message->binary;
        }
        connection.client().abort();
        co_await connection.server.wait_all();
    }());
    CHECK(sounded);
    CHECK(world.fakes.tts->cancelled == 1);
}

TEST_CASE("a time limit without an answer ends the connection, and the session can be resumed")
{
    World world;
    std::uint16_t close_code = 0;
    std::string resumed;
    run_coroutine([&]() -> awaitable<void> {
        const auto executor = co_await asio::this_coro::executor;
        InterviewSettings settings = two_questions();
        settings.answer_limit = 60ms;
        const std::string id = world.book->prepare(settings);
        {
            Connection connection(executor, world, id);
            co_await read_until(connection.client(), "nothing");
            close_code = connection.client().close_code();
            co_await connection.server.wait_all();
        }
        Connection connection(executor, world, id);
        const Received question = co_await read_until(connection.client(), "question_start");
        resumed = question.last();
        connection.client().abort();
        co_await connection.server.wait_all();
    }());
    CHECK(close_code == 1008);
    CHECK(resumed.find(R"("index":1,"total":2,"resumed":true)") != std::string::npos);
}

TEST_CASE("a server that goes away keeps the recording and says 1001")
{
    World world;
    std::uint16_t close_code = 0;
    Result<InterviewBook::Held> held = Error{};
    run_coroutine([&]() -> awaitable<void> {
        const auto executor = co_await asio::this_coro::executor;
        const std::string id = world.book->prepare(two_questions());
        Connection connection(executor, world, id);
        co_await read_until(connection.client(), "question_end");
        co_await connection.client().write_binary(bytes_of(webm));
        co_await pause(50ms);
        world.draining.request_stop();
        co_await read_until(connection.client(), "nothing");
        close_code = connection.client().close_code();
        co_await connection.server.wait_all();
        held = co_await world.book->take(id);
    }());
    CHECK(close_code == 1001);
    REQUIRE(held.has_value());
    REQUIRE(held->parts.size() == 1);
    CHECK(held->parts[0].bytes == webm);
    world.book->put_back(std::move(*held));
}

TEST_CASE("what nobody knows is not found, and what is forgotten is gone")
{
    World world;
    Received unknown;
    bool forgotten = false, again = true, looked = true;
    run_coroutine([&]() -> awaitable<void> {
        const auto executor = co_await asio::this_coro::executor;
        Connection connection(executor, world, "intv_unknown");
        unknown = co_await read_until(connection.client(), "nothing");
        co_await connection.server.wait_all();
        const std::string id = world.book->prepare(two_questions());
        Connection held(executor, world, id);
        co_await read_until(held.client(), "question_end");
        auto first = co_await world.book->forget(id);
        forgotten = first.value();
        auto second = co_await world.book->forget(id);
        again = second.value();
        auto found = co_await world.book->look(id);
        looked = found.value().has_value();
        co_await read_until(held.client(), "nothing");
        co_await held.server.wait_all();
    }());
    CHECK(unknown.last().find(R"("code":"not_found")") != std::string::npos);
    CHECK(forgotten);
    CHECK_FALSE(again);
    CHECK_FALSE(looked);
}

TEST_CASE("a model makes the follow-up from what was said")
{
    World world;
    world.fakes.llm->reply = "Which bridge was it?";
    world.fakes.stt->answers = {Result<std::string>("I build bridges.")};
    Received received;
    run_coroutine([&]() -> awaitable<void> {
        const auto executor = co_await asio::this_coro::executor;
        InterviewSettings settings = two_questions();
        settings.follow_ups_max = 1;
        const std::string id = world.book->prepare(settings);
        Connection connection(executor, world, id);
        co_await read_until(connection.client(), "question_end");
        co_await connection.client().write_binary(bytes_of(webm));
        co_await connection.client().write_text(answer_done);
        received = co_await read_until(connection.client(), "question_end");
        connection.client().abort();
        co_await connection.server.wait_all();
    }());
    REQUIRE(received.texts.size() == 4);
    CHECK(received.texts[2].find(R"("text":"Which bridge was it?")") != std::string::npos);
    REQUIRE(world.fakes.llm->asked.size() == 1);
    CHECK(world.fakes.llm->asked[0].messages.back().text.find("I build bridges.") != std::string::npos);
}
