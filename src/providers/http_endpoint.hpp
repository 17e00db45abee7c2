#pragma once
#include "repartee/providers/create.hpp"

#include <functional>
#include <memory>
#include <string>

namespace repartee::providers {

/// What a service said no with, for providers that know more of it than http_refusal.
struct Refusal {
    int status = 0;     ///< 0: there was no answer
    std::string words;  ///< the beginning of the body, keys and all: not to be shown
};

/// One service: where it is, with which key, how patient we are. Sends, retries before the first byte, turns refusals into errors.
class HttpEndpoint {
public:
    /// Called for each attempt; a source that is given twice is rewound by the giver.
    using MakeBody = std::function<std::shared_ptr<net::BodySource>()>;

    /// `role` is for messages: "speech", "transcription", "language model". Code::invalid_value (url), Code::not_configured (api.openai.com without
    /// a key), Code::tls (ca_file). `default_url`, `default_path`: when the settings leave them empty.
    static Result<HttpEndpoint> create(std::string_view role, const HttpSettings& settings, std::string_view default_url,
                                       std::string_view default_path, const Resources& resources, RoleMetrics& metrics);

    /// An answer with status 2xx, or the refusal in the service's own words (and in `refusal`, when asked for).
    Task<net::HttpAnswer> post(std::string content_type, MakeBody make_body, Stop stop, Refusal* refusal = nullptr);

    const HttpSettings& settings() const { return settings_; }
    const std::string& host() const { return host_; }
    /// "The speech service example.com", to begin a message with.
    std::string who() const;
    /// An error of the connection or from the middle of an answer: without this service's key, and with its section at a setting's name.
    Error told(Error error) const;
    /// A 2xx answer that is something else: "… sent text/html where {expected} was expected. Check {section}.url."
    Error wrong_content(std::string_view content_type, std::string_view expected) const;

private:
    HttpEndpoint(std::string_view role, const HttpSettings& settings, net::Url url, std::shared_ptr<const net::TlsContext> tls,
                 const Resources& resources, RoleMetrics& metrics);
    net::HttpRequest request(const std::string& content_type) const;

    std::string role_;
    HttpSettings settings_;
    net::Url url_;
    std::string host_;
    std::shared_ptr<const net::TlsContext> tls_;
    net::HttpClient* http_;
    RoleMetrics* metrics_;
};

/// A body of JSON, made anew for each attempt.
HttpEndpoint::MakeBody json_body(const json::object& body);

/// Waits; false when stopped before.
awaitable<bool> pause(milliseconds wait, Stop stop);

/// Reads what little may follow an answer that is complete, so that its connection can be used again; not for long.
awaitable<void> drain(net::HttpAnswer& answer, class StopAfter& stop);

}  // namespace repartee::providers
