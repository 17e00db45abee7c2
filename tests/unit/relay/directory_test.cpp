#include "repartee/relay/directory.hpp"

#include "../../support/event_loop.hpp"
#include "../../support/tcp_pair.hpp"

#include <catch2/catch.hpp>

#include <atomic>
#include <condition_variable>
#include <deque>
#include <filesystem>

using namespace repartee;
using namespace std::chrono_literals;
using relay::Claim;
using relay::Directory;
using relay::Return;
using relay::Waiting;
using relay::WaitingSettings;
using testing::EventLoop;

namespace {

constexpr std::string_view here = "/ws/conversations/sena";

/// What happened to a conversation, in order, for a thread that waits for it.
class Log {
public:
    void add(std::string what)
    {
        const std::lock_guard lock(mutex_);
        entries_.push_back(std::move(what));
        changed_.notify_all();
    }
    std::string next()
    {
        std::unique_lock lock(mutex_);
        if (!changed_.wait_for(lock, 10s, [&] { return !entries_.empty(); })) return "nothing";
        std::string what = std::move(entries_.front());
        entries_.pop_front();
        return what;
    }
    bool empty()
    {
        const std::lock_guard lock(mutex_);
        return entries_.empty();
    }

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<std::string> entries_;
};

WaitingSettings waiting_at(std::string_view place, milliseconds window = 60s)
{
    WaitingSettings settings;
    settings.place = place;
    settings.window = window;
    return settings;
}

/// A conversation on its worker: it greets a client that comes back with the position that it told.
class Conversation {
public:
    Conversation(Directory& directory, EventLoop& loop, WaitingSettings settings = waiting_at(here)) : loop_(loop)
    {
        loop_.run([&] {
            waiting_ = std::make_unique<Waiting>(directory, loop_.executor(), std::move(settings));
            waiting_->on_return = [this](Return back) {
                const bool at_home = std::this_thread::get_id() == loop_.thread_id();
                client_.emplace(std::move(back.client));
                static_cast<void>(client_->send_text("welcome"));
                log.add((at_home ? "back behind " : "elsewhere behind ") + back.position.last_event_id.value_or("nothing"));
            };
            waiting_->on_given_up = [this](Waiting::GivenUp why) { log.add(why == Waiting::GivenUp::window_over ? "window over" : "place wanted"); };
        });
    }
    ~Conversation() { end(); }

    std::string issue()
    {
        return loop_.run([&] { return waiting_->issue_token(); });
    }
    void lose_client(bool heard = true)
    {
        loop_.run([&] {
            client_.reset();
            waiting_->client_lost(heard);
        });
    }
    bool is_waiting()
    {
        return loop_.run([&] { return waiting_->is_waiting(); });
    }
    void withdraw()
    {
        loop_.run([&] { waiting_->withdraw(); });
    }
    void end()
    {
        loop_.run([&] {
            client_.reset();
            waiting_.reset();
        });
    }

    Log log;

private:
    EventLoop& loop_;
    std::unique_ptr<Waiting> waiting_;
    std::optional<net::WebSocket> client_;
};

/// A client whose server's end was taken out of the accepting worker's event loop.
struct Arrival {
    EventLoop& client_loop;
    std::optional<net::WebSocket> client;
    net::PartedWebSocket parted;

    Arrival(EventLoop& of_client, EventLoop& accepting) : client_loop(of_client)
    {
        const auto sockets = testing::tcp_sockets();
        const net::WebSocketLimits limits;
        client_loop.run([&] {
            client.emplace(net::ByteStream::adopt_tcp(client_loop.executor(), sockets.near), net::WebSocket::Role::client, limits);
        });
        parted.stream = accepting.run([&] {
            auto stream = net::ByteStream::adopt_tcp(accepting.executor(), sockets.far);
            return stream.part();
        });
    }
    ~Arrival()
    {
        client_loop.run([&] { client.reset(); });
    }

    std::string hear() { return client_loop.run_coroutine(read(*client)); }

    static awaitable<std::string> read(net::WebSocket& socket)
    {
        const auto message = co_await socket.read();
        if (!message) co_return "closed " + std::to_string(socket.close_code());
        co_return std::string(message->text());
    }
};

conversation::Downlink::ClientPosition behind(std::string event_id)
{
    conversation::Downlink::ClientPosition position;
    position.last_event_id = std::move(event_id);
    return position;
}

std::string refusal(Directory& directory, std::string_view token, std::string_view place = here)
{
    const auto claim = directory.claim(token, place);
    return claim ? "none" : std::string(name(claim.error().code));
}

std::size_t open_descriptors()
{
    std::size_t count = 0;
    for ([[maybe_unused]] const auto& each : std::filesystem::directory_iterator("/proc/self/fd")) ++count;
    return count;
}

}  // namespace

TEST_CASE("a client comes back to its conversation on another worker")
{
    Directory directory;
    EventLoop client_loop, accepting, home;
    Conversation talk(directory, home);
    const std::string token = talk.issue();
    REQUIRE(token.size() >= 32);
    talk.lose_client();
    REQUIRE(directory.waiting() == 1);

    Arrival arrival(client_loop, accepting);
    auto claim = directory.claim(token, here);
    REQUIRE(claim.has_value());
    claim->hand_over(std::move(arrival.parted), behind("event_7"));
    REQUIRE(talk.log.next() == "back behind event_7");
    REQUIRE(arrival.hear() == "welcome");
    REQUIRE_FALSE(talk.is_waiting());
    REQUIRE(directory.waiting() == 0);
    REQUIRE(directory.tokens() == 0);

    const std::string next = talk.issue();
    REQUIRE(next != token);
    REQUIRE(refusal(directory, token) == "resume_refused");
    REQUIRE(refusal(directory, next) == "none");
    talk.end();
    REQUIRE(directory.tokens() == 0);
    REQUIRE(refusal(directory, next) == "resume_refused");
}

TEST_CASE("a token is good once, at its own place, until the next one")
{
    Directory directory;
    EventLoop client_loop, accepting, home;
    Conversation talk(directory, home);
    const std::string first = talk.issue();
    REQUIRE(refusal(directory, first, "/v1/realtime") == "resume_refused");
    REQUIRE(refusal(directory, "") == "resume_refused");
    REQUIRE(refusal(directory, first + "x") == "resume_refused");

    SECTION("two at the same moment")
    {
        std::optional<Claim> claim;
        claim.emplace(std::move(directory.claim(first, here).value()));
        REQUIRE(refusal(directory, first) == "resume_refused");
        claim.reset();  // its client was gone before the handshake's end
        REQUIRE(refusal(directory, first) == "none");
    }
    SECTION("the next token")
    {
        const std::string second = talk.issue();
        REQUIRE(refusal(directory, first) == "resume_refused");
        REQUIRE(refusal(directory, second) == "none");
        REQUIRE(directory.tokens() == 1);
    }
    SECTION("while the old connection seems alive")
    {
        Arrival arrival(client_loop, accepting);
        directory.claim(first, here).value().hand_over(std::move(arrival.parted), {});
        REQUIRE(talk.log.next() == "back behind nothing");
        talk.lose_client();  // the old one
        REQUIRE(talk.is_waiting());
    }
}

TEST_CASE("the token of a connection on which nothing was heard is good again when that is lost")
{
    const bool heard = GENERATE(false, true);
    CAPTURE(heard);
    Directory directory;
    EventLoop client_loop, accepting, home;
    Conversation talk(directory, home);
    const std::string first = talk.issue();
    talk.lose_client();
    Arrival arrival(client_loop, accepting);
    directory.claim(first, here).value().hand_over(std::move(arrival.parted), {});
    REQUIRE(talk.log.next() == "back behind nothing");
    const std::string second = talk.issue();
    REQUIRE(refusal(directory, first) == "resume_refused");
    talk.lose_client(heard);
    REQUIRE(refusal(directory, first) == (heard ? "resume_refused" : "none"));
    REQUIRE(refusal(directory, second) == "none");

    // One of the two is used: both are spent.
    Arrival again(client_loop, accepting);
    directory.claim(second, here).value().hand_over(std::move(again.parted), {});
    REQUIRE(talk.log.next() == "back behind nothing");
    REQUIRE(refusal(directory, first) == "resume_refused");
    REQUIRE(refusal(directory, second) == "resume_refused");
}

TEST_CASE("the window closes")
{
    Directory directory;
    EventLoop home;
    Conversation talk(directory, home, waiting_at(here, 30ms));
    const std::string token = talk.issue();
    SECTION("with nobody there")
    {
        talk.lose_client();
        REQUIRE(talk.log.next() == "window over");
    }
    SECTION("later, while a client is on its way")
    {
        std::optional<Claim> claim;
        claim.emplace(std::move(directory.claim(token, here).value()));
        talk.lose_client();
        std::this_thread::sleep_for(80ms);
        REQUIRE(talk.log.empty());
        claim.reset();
        REQUIRE(talk.log.next() == "window over");
    }
    REQUIRE(refusal(directory, token) == "resume_refused");
    REQUIRE(directory.waiting() == 0);
    REQUIRE(directory.tokens() == 0);
}

TEST_CASE("a conversation that ends while its client is on the way tells the client")
{
    const auto descriptors = open_descriptors();
    {
        Directory directory;
        EventLoop client_loop, accepting, home;
        Conversation talk(directory, home);
        const std::string token = talk.issue();
        Arrival arrival(client_loop, accepting);
        auto claim = directory.claim(token, here);
        const bool destroyed = GENERATE(false, true);
        if (destroyed)
            talk.end();
        else
            talk.withdraw();
        claim->hand_over(std::move(arrival.parted), {});
        const std::string told = arrival.hear();
        CAPTURE(told);
        REQUIRE(told.find("\"resume_refused\"") != std::string::npos);
        REQUIRE(arrival.hear() == "closed 1011");
        REQUIRE(talk.log.empty());
    }
    REQUIRE(open_descriptors() == descriptors);
}

TEST_CASE("a client on its way to a worker that has stopped is let go")
{
    const auto descriptors = open_descriptors();
    {
        Directory directory;
        EventLoop client_loop, accepting;
        std::optional<Claim> claim;
        {
            asio::io_context stopped;
            Waiting waiting(directory, stopped.get_executor(), waiting_at(here));
            const std::string token = waiting.issue_token();
            Arrival arrival(client_loop, accepting);
            directory.claim(token, here).value().hand_over(std::move(arrival.parted), {});
        }
    }
    REQUIRE(open_descriptors() == descriptors);
}

TEST_CASE("the longest waiting conversation gives its slot to a new client")
{
    Directory directory;
    EventLoop home, other;
    const auto settings = [](std::shared_ptr<void> slot) {
        WaitingSettings with_slot = waiting_at(here);
        with_slot.slot = std::move(slot);
        return with_slot;
    };
    const auto slot_a = std::make_shared<int>(1), slot_b = std::make_shared<int>(2), slot_c = std::make_shared<int>(3);
    Conversation a(directory, home, settings(slot_a)), b(directory, other, settings(slot_b)), c(directory, home, settings(slot_c));
    const std::string token_a = a.issue(), token_b = b.issue();
    c.issue();
    REQUIRE(directory.take_slot_of_longest_waiting() == nullptr);
    b.lose_client();
    a.lose_client();
    const auto claimed = directory.claim(token_b, here);  // its client is at the door
    REQUIRE(directory.take_slot_of_longest_waiting() == slot_a);
    REQUIRE(a.log.next() == "place wanted");
    REQUIRE(refusal(directory, token_a) == "resume_refused");
    REQUIRE(directory.take_slot_of_longest_waiting() == nullptr);
    REQUIRE(directory.waiting() == 1);
    REQUIRE(b.log.empty());
}

TEST_CASE("no more wait than may")
{
    Directory directory;
    EventLoop home;
    WaitingSettings two = waiting_at(here);
    two.waiting_max = 2;
    Conversation a(directory, home, two), b(directory, home, two), c(directory, home, two);
    a.lose_client();
    b.lose_client();
    c.lose_client();
    REQUIRE(a.log.next() == "place wanted");
    REQUIRE(directory.waiting() == 2);
}

TEST_CASE("many clients with the same token, and a conversation that ends meanwhile")
{
    const auto descriptors = open_descriptors();
    {
        Directory directory;
        EventLoop client_loop, accepting[3], home;
        for (int round = 0; round < 40; ++round) {
            Conversation talk(directory, home, waiting_at(here, 1ms * (round % 3 + 1)));
            const std::string token = talk.issue();
            std::vector<std::unique_ptr<Arrival>> arrivals;
            for (EventLoop& each : accepting) arrivals.push_back(std::make_unique<Arrival>(client_loop, each));
            std::atomic<int> admitted{0};
            std::vector<std::thread> threads;
            for (auto& arrival : arrivals)
                threads.emplace_back([&, arrival = arrival.get()] {
                    auto claim = directory.claim(token, here);
                    if (!claim) return;
                    ++admitted;
                    claim->hand_over(std::move(arrival->parted), behind("e"));
                });
            if (round % 2 == 0) talk.lose_client();
            if (round % 4 == 1) talk.end();
            for (auto& thread : threads) thread.join();
            REQUIRE(admitted <= 1);
            if (admitted == 0) continue;
            for (auto& arrival : arrivals) {
                if (arrival->parted.stream.is_open()) continue;
                const std::string told = arrival->hear();
                REQUIRE((told == "welcome" || told.find("resume_refused") != std::string::npos));
            }
        }
        REQUIRE(directory.tokens() == 0);
        REQUIRE(directory.waiting() == 0);
    }
    REQUIRE(open_descriptors() == descriptors);
}
