#pragma once
#include "../audio/signals.hpp"
#include "repartee/net/http_client.hpp"
#include "repartee/net/listener.hpp"
#include "repartee/providers/create.hpp"
#include "run.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fmt/format.h>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

namespace repartee::test {

using std::chrono::milliseconds;

/// One answer of a service: its bytes in pieces, and what becomes of the connection.
struct Canned {
    enum class End { keep, close, hang };
    std::vector<std::string> pieces;
    End end = End::keep;
    milliseconds gap{0};  ///< before each piece but the first

    Canned(std::vector<std::string> pieces_, End end_ = End::keep, milliseconds gap_ = milliseconds(0)) : pieces(std::move(pieces_)), end(end_),
        gap(gap_) {}
};

/// A service on a free port of loopback: answers in order, the last one again and again. Keeps what it was asked.
class CannedService {
public:
    CannedService(asio::io_context& context, std::vector<Canned> answers) : state_(std::make_shared<State>())
    {
        auto bound = net::Listener::bind(context.get_executor(), {"127.0.0.1", 0});
        REQUIRE(ok(bound));
        state_->listener.emplace(std::move(*bound));
        state_->answers = std::move(answers);
        asio::co_spawn(context, serve(state_), [](std::exception_ptr) {});
    }
    ~CannedService() { state_->listener->close(); }

    std::string url() const { return "http://127.0.0.1:" + std::to_string(state_->listener->port()) + "/v1/"; }
    const std::vector<std::string>& requests() const { return state_->requests; }
    std::string head(std::size_t i) const { return requests().at(i).substr(0, requests().at(i).find("\r\n\r\n") + 4); }
    std::string body(std::size_t i) const { return requests().at(i).substr(requests().at(i).find("\r\n\r\n") + 4); }
    json::object json_body(std::size_t i) const
    {
        auto parsed = json::parse_object(body(i));
        REQUIRE(ok(parsed));
        return *parsed;
    }
    int connections() const { return state_->connections; }
    /// Connections that the client closed while an answer was under way.
    int left() const { return state_->left; }

private:
    struct State {
        std::optional<net::Listener> listener;
        std::vector<Canned> answers;
        std::vector<std::string> requests;
        int connections = 0, left = 0;
    };

    static bool is_complete(const std::string& request)
    {
        const std::size_t end = request.find("\r\n\r\n");
        const std::size_t field = request.find("Content-Length: ");
        return end != std::string::npos && field < end && request.size() >= end + 4 + std::stoul(request.substr(field + 16));
    }

    static awaitable<void> serve(std::shared_ptr<State> state)
    {
        const auto executor = co_await asio::this_coro::executor;
        for (;;) {
            auto socket = co_await state->listener->accept();
            if (!socket) co_return;
            ++state->connections;
            asio::co_spawn(executor, answer(state, net::ByteStream::adopt_tcp(executor, *socket)), [](std::exception_ptr) {});
        }
    }

    static awaitable<void> answer(std::shared_ptr<State> state, net::ByteStream stream)
    {
        const auto executor = co_await asio::this_coro::executor;
        std::vector<std::byte> buffer(16 << 10);
        for (;;) {
            std::string request;
            while (!is_complete(request)) {
                auto n = co_await stream.read_some(buffer);
                if (!n) co_return;
                request.append(reinterpret_cast<const char*>(buffer.data()), *n);
            }
            const Canned canned = state->answers.at(std::min(state->requests.size(), state->answers.size() - 1));
            state->requests.push_back(request);
            bool first = true;
            for (const std::string& piece : canned.pieces) {
                asio::steady_timer timer(executor, std::exchange(first, false) ? milliseconds(0) : canned.gap);
                co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
                const auto written = co_await stream.write(piece);
                if (!written) break;
            }
            if (canned.end == Canned::End::close) {
                co_await stream.shutdown(milliseconds(1'000));
                co_return;
            }
            if (canned.end == Canned::End::keep) continue;
            auto n = co_await stream.read_some(buffer);
            state->left += n ? 0 : 1;
            co_return;
        }
    }

    std::shared_ptr<State> state_;
};

inline std::string http_head(const std::string& status, const std::string& type, std::size_t length, const std::string& more = "")
{
    return "HTTP/1.1 " + status + "\r\nContent-Type: " + type + "\r\n" + more + "Content-Length: " + std::to_string(length) + "\r\n\r\n";
}

inline Canned whole(const std::string& status, const std::string& type, const std::string& body, const std::string& more = "")
{
    return Canned(std::vector<std::string>{http_head(status, type, body.size(), more) + body});
}

inline std::string chunk(const std::string& bytes) { return fmt::format("{:x}\r\n{}\r\n", bytes.size(), bytes); }

/// A chunked answer, one write a piece.
inline Canned chunked(const std::string& type, const std::vector<std::string>& pieces, Canned::End end = Canned::End::keep,
                      milliseconds gap = milliseconds(0))
{
    Canned canned({"HTTP/1.1 200 OK\r\nContent-Type: " + type + "\r\nTransfer-Encoding: chunked\r\n\r\n"}, end, gap);
    for (const std::string& piece : pieces) canned.pieces.push_back(chunk(piece));
    if (end == Canned::End::keep) canned.pieces.emplace_back("0\r\n\r\n");
    return canned;
}

/// Pieces of `size` bytes: characters, samples and words are cut anywhere.
inline std::vector<std::string> in_pieces(const std::string& text, std::size_t size)
{
    std::vector<std::string> pieces;
    for (std::size_t at = 0; at < text.size(); at += size) pieces.push_back(text.substr(at, size));
    return pieces;
}

/// Sound as a service speaks it, at 24 kHz, with peaks of 8 200.
inline std::vector<std::int16_t> tone(std::size_t count) { return audio::signals::sine(400, 24'000, count, -15); }

/// What providers of one worker work with.
struct Bench {
    asio::io_context context;
    Metrics metrics;
    net::HttpClient http{context.get_executor(), net::HttpClientSettings(), metrics};
    providers::AudioDecoder decoder{providers::DecodeSettings()};
    providers::Resources resources{http, decoder, metrics};

    /// Lets the event loop run, e.g. until the service has noticed something.
    template <class Condition>
    bool wait_for(Condition condition, milliseconds limit)
    {
        const auto end = std::chrono::steady_clock::now() + limit;
        context.restart();
        while (!condition() && std::chrono::steady_clock::now() < end) context.run_one_for(milliseconds(5));
        return condition();
    }
};

/// Settings of one section, with little patience and a key to look for.
template <class Settings>
Settings settings_for(const CannedService& service, const std::string& section)
{
    Settings settings;
    settings.section = section;
    settings.provider = "openai";
    settings.url = service.url();
    settings.api_key = "sk-very-secret";
    settings.times.connect = settings.times.send_idle = settings.times.first_byte = settings.times.idle = milliseconds(5'000);
    settings.retries = 0;
    return settings;
}

/// A stop that is asked for when the event loop has run for `wait`.
class LaterStop {
public:
    LaterStop(asio::io_context& context, milliseconds wait) : timer_(context, wait)
    {
        timer_.async_wait([this](boost::system::error_code) {
            asked_ = std::chrono::steady_clock::now();
            source_.request_stop();
        });
    }
    std::stop_token token() const { return source_.get_token(); }
    std::chrono::steady_clock::duration since() const { return std::chrono::steady_clock::now() - asked_; }

private:
    std::stop_source source_;
    asio::steady_timer timer_;
    std::chrono::steady_clock::time_point asked_;
};

/// A row of a table of failures: what the service answers, and what is told.
struct Failure {
    const char* what;
    Canned answer;
    Code code;
    std::string message;  ///< a part of it
};

/// `outcome` is the failure of that row, and tells no key.
template <class T>
void check_failure(const Result<T>& outcome, const Failure& row)
{
    REQUIRE(!outcome);
    CHECK(outcome.error().code == row.code);
    CHECK_THAT(outcome.error().message, Catch::Contains(row.message));
    CHECK(outcome.error().message.find("secret") == std::string::npos);
}

}  // namespace repartee::test
