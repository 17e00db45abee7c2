#include "repartee/net/http_client.hpp"

#include "http_exchange.hpp"

#include <fmt/format.h>

#include <utility>

namespace repartee::net {
namespace {

class MemoryBody : public BodySource {
public:
    explicit MemoryBody(std::vector<std::string> pieces) : pieces_(std::move(pieces)) {}

    std::optional<std::uint64_t> bytes() const override
    {
        std::uint64_t sum = 0;
        for (const auto& piece : pieces_) sum += piece.size();
        return sum;
    }

    Task<std::string_view> next() override
    {
        while (at_ < pieces_.size() && pieces_[at_].empty()) ++at_;
        if (at_ == pieces_.size()) co_return std::string_view();
        co_return std::string_view(pieces_[at_++]);
    }

    bool rewind() override
    {
        at_ = 0;
        return true;
    }

private:
    std::vector<std::string> pieces_;
    std::size_t at_ = 0;
};

template <class T>
Task<T> failed(Error error)
{
    co_return error;
}

}  // namespace

std::shared_ptr<BodySource> body_of(std::vector<std::string> pieces) { return std::make_shared<MemoryBody>(std::move(pieces)); }

// --- the answer

struct HttpAnswer::State {
    HttpExchange exchange;

    template <class... Arguments>
    explicit State(Arguments&&... arguments) : exchange(std::forward<Arguments>(arguments)...)
    {
    }

    static Task<std::string_view> read(std::shared_ptr<State> state)
    {
        auto piece = co_await state->exchange.read();
        co_return piece;
    }

    static Task<std::string> read_all(std::shared_ptr<State> state, std::size_t bytes_max)
    {
        std::string all;
        for (;;) {
            const auto piece = co_await state->exchange.read();
            if (!piece) co_return piece.error();
            if (piece->empty()) co_return all;
            if (piece->size() > bytes_max - all.size()) {
                state->exchange.abandon();
                co_return Error{Code::too_large, fmt::format("The answer of {} is over the limit of {} bytes. Ask for less, or raise the limit.",
                                                             state->exchange.peer(), bytes_max)};
            }
            all += *piece;
        }
    }
};

HttpAnswer::HttpAnswer(std::shared_ptr<State> state) : state_(std::move(state)) {}
HttpAnswer::HttpAnswer(HttpAnswer&&) noexcept = default;
HttpAnswer::~HttpAnswer()
{
    if (state_) state_->exchange.abandon();
}

int HttpAnswer::status() const { return state_->exchange.answer().status(); }
std::string_view HttpAnswer::header(std::string_view lower_case_name) const { return state_->exchange.answer().header(lower_case_name); }

// Not coroutines themselves: an operation keeps the state alive, not the HttpAnswer, which may move or go meanwhile.
Task<std::string_view> HttpAnswer::read() { return State::read(state_); }
Task<std::string> HttpAnswer::read_all(std::size_t bytes_max) { return State::read_all(state_, bytes_max); }

// --- the client

struct HttpClient::State {
    asio::any_io_executor executor;
    HttpClientSettings settings;
    Metrics& metrics;
    std::shared_ptr<HttpPool> pool;

    State(asio::any_io_executor on, HttpClientSettings set, Metrics& counts)
        : executor(std::move(on)),
          settings(std::move(set)),
          metrics(counts),
          pool(std::make_shared<HttpPool>(executor, settings.idle_connections_max, settings.idle_connections_total_max, settings.idle_limit))
    {
    }

    static Task<HttpAnswer> send(std::shared_ptr<HttpAnswer::State> answer)
    {
        // Before the first suspension: whoever drops the request midway closes its connection.
        HttpAnswer held(std::move(answer));
        const auto begun = co_await held.state_->exchange.run();
        if (!begun) co_return begun.error();
        co_return held;
    }
};

HttpClient::HttpClient(asio::any_io_executor executor, HttpClientSettings settings, Metrics& metrics)
    : state_(std::make_shared<State>(std::move(executor), std::move(settings), metrics))
{
}

HttpClient::~HttpClient() { state_->pool->close(); }

Task<HttpAnswer> HttpClient::send(HttpRequest request, std::shared_ptr<const TlsContext> tls, HttpTimes times, std::stop_token stop)
{
    const bool understood = request.url.scheme == "http" || request.url.scheme == "https";
    if (!understood)
        return failed<HttpAnswer>(Error{Code::invalid_value, "An HTTP request needs an http or https URL, not '" + request.url.scheme + "'."});
    if (request.url.tls() && !tls)
        return failed<HttpAnswer>(Error{Code::not_configured, "An https URL needs TLS, which is not set up here. Use http or set TLS up."});
    HttpRoute route{request.url, state_->settings.proxies.choose(request.url), nullptr};
    if (request.url.tls()) route.tls = std::move(tls);
    auto answer = std::make_shared<HttpAnswer::State>(state_->pool, std::move(request), std::move(route), times, std::move(stop),
                                                      state_->settings.header_bytes_max, state_->metrics);
    return State::send(std::move(answer));
}

asio::any_io_executor HttpClient::executor() const { return state_->executor; }
std::size_t HttpClient::idle_connections() const { return state_->pool->idle(); }

}  // namespace repartee::net
