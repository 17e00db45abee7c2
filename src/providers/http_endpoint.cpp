#include "http_endpoint.hpp"

#include "http_refusal.hpp"
#include "repartee/base/chance.hpp"
#include "repartee/base/log.hpp"
#include "repartee/base/version.hpp"
#include "repartee/net/deadline.hpp"
#include "repartee/net/signal.hpp"
#include "repartee/providers/retry.hpp"
#include "repartee/providers/stop_after.hpp"
#include "repartee/providers/text.hpp"
#include "service_words.hpp"

#include <boost/asio/this_coro.hpp>
#include <fmt/format.h>
#include <map>
#include <mutex>

namespace repartee::providers {
namespace {

constexpr std::string_view openai_host = "api.openai.com";
constexpr std::size_t refusal_bytes_max = 64 << 10;
constexpr milliseconds drain_limit{250};

std::string joined(std::string_view base, std::string_view path)
{
    while (base.ends_with('/')) base.remove_suffix(1);
    while (path.starts_with('/')) path.remove_prefix(1);
    return fmt::format("{}/{}", base, path);
}

/// One context a CA file, for all roles and workers: it takes a while to read the system's roots, and services of one host share their connections
/// by it.
Result<std::shared_ptr<const net::TlsContext>> tls_context(const std::string& ca_file)
{
    static std::mutex mutex;
    static std::map<std::string, std::weak_ptr<const net::TlsContext>> known;
    const std::lock_guard lock(mutex);
    auto& entry = known[ca_file];
    if (auto context = entry.lock()) return context;
    auto made = net::TlsContext::client(ca_file);
    if (!made) return made.error();
    auto context = std::make_shared<const net::TlsContext>(std::move(*made));
    entry = context;
    return context;
}

/// The client knows a limit's name, and not whose: further providers of a role ("llm_2") have those of the first.
void name_setting(std::string& message, std::string_view section)
{
    constexpr std::string_view before = "raise ";
    const std::size_t at = message.rfind(before);
    if (at == std::string::npos || message.find("limit_ms", at) == std::string::npos) return;
    message.insert(at + before.size(), fmt::format("{}.", section.substr(0, section.find('_'))));
}

/// So it is with the file of certificates, which each section has of its own.
void name_ca_file(std::string& message, std::string_view section)
{
    constexpr std::string_view nameless = "the ca_file setting";
    const std::size_t at = message.find(nameless);
    if (at != std::string::npos) message.replace(at, nameless.size(), fmt::format("{}.ca_file", section));
}

Error stopped(const std::string& role) { return Error{Code::cancelled, fmt::format("The {} request was stopped.", role)}; }

}  // namespace

Result<HttpEndpoint> HttpEndpoint::create(std::string_view role, const HttpSettings& settings, std::string_view default_url,
                                          std::string_view default_path, const Resources& resources, RoleMetrics& metrics)
{
    const std::string_view base = settings.url.empty() ? default_url : std::string_view(settings.url);
    const std::string_view path = settings.path.empty() ? default_path : std::string_view(settings.path);
    const std::string setting = settings.section + ".url";
    auto url = net::parse_url(joined(base, path));
    if (!url) return Error{Code::invalid_value, setting + ": " + url.error().message, setting};
    if (url->scheme != "http" && url->scheme != "https")
        return Error{Code::invalid_value, setting + " must begin with http:// or https://.", setting};
    if (url->host == openai_host && settings.api_key.empty())
        return Error{Code::not_configured, fmt::format("The {0} service {1} needs a key. Set {2}.api_key or OPENAI_API_KEY, or {2}.provider = "
                                                       "\"embedded\".",
                                                       role, url->host, settings.section)};
    std::shared_ptr<const net::TlsContext> tls;
    if (url->tls()) {
        auto context = tls_context(settings.ca_file);
        if (!context) return context.error();
        tls = std::move(*context);
    }
    return HttpEndpoint(role, settings, std::move(*url), std::move(tls), resources, metrics);
}

HttpEndpoint::HttpEndpoint(std::string_view role, const HttpSettings& settings, net::Url url, std::shared_ptr<const net::TlsContext> tls,
                           const Resources& resources, RoleMetrics& metrics)
    : role_(role),
      settings_(settings),
      url_(std::move(url)),
      host_(url_.host_header()),
      tls_(std::move(tls)),
      http_(&resources.http),
      metrics_(&metrics)
{
}

std::string HttpEndpoint::who() const { return fmt::format("The {} service {}", role_, host_); }

Error HttpEndpoint::told(Error error) const
{
    error.message = without_keys(std::move(error.message), settings_.api_key);
    // What the service sends wrong, or too much of, is its fault and not our client's.
    if (error.code == Code::protocol || error.code == Code::too_large) error.code = Code::provider_failed;
    if (error.code == Code::timeout) name_setting(error.message, settings_.section);
    if (error.code == Code::tls) name_ca_file(error.message, settings_.section);
    return error;
}

Error HttpEndpoint::wrong_content(std::string_view content_type, std::string_view expected) const
{
    const std::string shown = content_type.empty() ? std::string("something") : one_line(content_type, 60);
    return Error{Code::provider_failed, fmt::format("{} sent {} where {} was expected. Check {}.url.", who(), shown, expected, settings_.section)};
}

net::HttpRequest HttpEndpoint::request(const std::string& content_type) const
{
    net::HttpRequest request;
    request.method = "POST";
    request.url = url_;
    request.headers.emplace_back("User-Agent", fmt::format("Repartee/{}", version));
    request.headers.emplace_back("Accept", "*/*");
    request.headers.emplace_back("Content-Type", content_type);
    if (!settings_.api_key.empty()) request.headers.emplace_back("Authorization", "Bearer " + settings_.api_key);
    return request;
}

Task<net::HttpAnswer> HttpEndpoint::post(std::string content_type, MakeBody make_body, Stop stop, Refusal* refusal)
{
    for (int number = 1;; ++number) {
        net::HttpRequest outgoing = request(content_type);
        outgoing.source = make_body();
        auto answer = co_await http_->send(std::move(outgoing), tls_, settings_.times, stop);
        if (stop.stop_requested()) co_return stopped(role_);
        if (answer && answer->is_success()) co_return std::move(*answer);

        Attempt attempt;
        attempt.number = number;
        Error error;
        std::string retry_after;
        if (answer) {
            attempt.status = answer->status();
            retry_after = answer->header("retry-after");
            auto body = co_await answer->read_all(refusal_bytes_max);
            if (stop.stop_requested()) co_return stopped(role_);
            std::string words;
            if (body) words = std::move(*body);
            error = http_refusal(role_, settings_, host_, attempt.status, words);
            if (refusal) {
                refusal->status = attempt.status;
                refusal->words = std::move(words);
            }
        } else {
            error = told(answer.error());
            attempt.failure = error.code;
            if (refusal) *refusal = Refusal();
        }
        attempt.error_code = error.upstream_code;
        attempt.retry_after = retry_after;
        const auto wait = retry_wait(attempt, settings_.retries, settings_.retry_wait_max, chance());
        if (!wait) co_return error;

        metrics_->retries.add();
        log::info("provider.retry", {{"section", settings_.section},
                                     {"host", host_},
                                     {"code", name(error.code)},
                                     {"message", error.message},
                                     {"wait_ms", wait->count()},
                                     {"attempt", number + 1}});
        const bool waited = co_await pause(*wait, stop);
        if (!waited) co_return stopped(role_);
    }
}

HttpEndpoint::MakeBody json_body(const json::object& body)
{
    return [text = json::to_text(body)] {
        std::vector<std::string> pieces;
        pieces.push_back(text);
        return net::body_of(std::move(pieces));
    };
}

awaitable<bool> pause(milliseconds wait, Stop stop)
{
    const auto executor = co_await asio::this_coro::executor;
    net::Signal signal(executor);
    const auto wake = [&signal] { signal.notify(); };
    const std::stop_callback on_stop(stop, wake);
    const Instant end = std::chrono::steady_clock::now() + wait;
    co_await signal.wait_until(end);
    co_return !stop.stop_requested();
}

awaitable<void> drain(net::HttpAnswer& answer, StopAfter& stop)
{
    const auto executor = co_await asio::this_coro::executor;
    const auto give_up = [&stop] { stop.request_stop(); };
    const net::Deadline limit(executor, drain_limit, give_up);
    for (;;) {
        const auto piece = co_await answer.read();
        if (!piece || piece->empty()) co_return;
    }
}

}  // namespace repartee::providers
