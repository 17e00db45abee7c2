#pragma once
#include "exchange_guard.hpp"
#include "http_answer_parser.hpp"
#include "http_pool.hpp"

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace repartee::net {

/// One request and its answer, on a connection that was kept or is made. It outlives the calls that it is in.
class HttpExchange {
public:
    HttpExchange(std::shared_ptr<HttpPool> pool, HttpRequest request, HttpRoute route, const HttpTimes& times, std::stop_token stop,
                 std::size_t header_bytes_max, Metrics& metrics);

    /// Ends when the answer's header is there.
    Task<> run();
    /// The next bytes of the body; empty at its end.
    Task<std::string_view> read();
    /// Closes the connection; what is under way ends with an error.
    void abandon();

    const HttpAnswerParser& answer() const { return *answer_; }
    const std::string& peer() const { return peer_; }

private:
    Task<> attempt();
    awaitable<bool> send();
    Task<bool> send_source(std::string text);
    awaitable<bool> write(std::string_view bytes);
    bool is_refused_early();
    Task<> receive_header();
    Task<> receive();
    bool take_received(std::size_t bytes);
    bool may_repeat(const Error& failure);
    Error failure(const Error& of_stream) const;
    Error malformed() const;
    void finish();

    std::shared_ptr<HttpPool> pool_;
    HttpRequest request_;
    HttpRoute route_;
    std::string peer_, head_;
    std::size_t header_bytes_max_;
    Metrics& metrics_;
    std::unique_ptr<HttpConnection> connection_;
    ExchangeGuard guard_;
    std::optional<HttpAnswerParser> answer_;
    std::vector<std::byte> buffer_;
    std::string piece_;
    std::optional<Error> ended_;  ///< by a failure: later reads repeat it
    bool sent_whole_ = false, source_used_ = false, source_failed_ = false, abandoned_ = false;
};

}  // namespace repartee::net
