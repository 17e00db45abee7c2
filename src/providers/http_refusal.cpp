#include "http_refusal.hpp"

#include "repartee/providers/text.hpp"
#include "service_words.hpp"

#include <fmt/format.h>

namespace repartee::providers {
namespace {

constexpr std::size_t quoted_characters_max = 300;

std::string mend(std::string_view role, const HttpSettings& settings, std::string_view host, int status, std::string_view code)
{
    const std::string_view section = settings.section;
    if (status == 401 || status == 403)
        return fmt::format("Check {}.api_key{}.", section, host.starts_with("api.openai.com") ? " (or OPENAI_API_KEY)" : "");
    if (status == 404) return fmt::format("Check {0}.url and {0}.model.", section);
    if (status == 413) return "Send less at once.";
    if (status == 429 && code == "insufficient_quota") return "The account's quota is used up: check its plan and billing.";
    if (status == 429) return "Check the account's quota, or try again later.";
    if (status >= 500) return "Try again later.";
    if (status >= 300 && status < 400) return fmt::format("It sends us elsewhere, and we do not follow: put the right address into {}.url.", section);
    if (role == "speech") return fmt::format("Check {}.model, the voice and the text.", section);
    return fmt::format("Check {0}.model and {0}.url, and what was sent.", section);
}

/// A page of HTML says nothing that fits into a line.
std::string words_of(const std::optional<json::object>& document, std::string_view body)
{
    if (document) return service_words(*document);
    return std::string(body.find('<') == std::string_view::npos ? body : std::string_view());
}

}  // namespace

Error http_refusal(std::string_view role, const HttpSettings& settings, std::string_view host, int status, std::string_view body)
{
    std::optional<json::object> document;
    if (auto parsed = json::parse_object(body)) document = std::move(*parsed);
    const std::string words = one_line(without_keys(words_of(document, body), settings.api_key), quoted_characters_max);
    const std::string said = words.empty() ? std::string(".") : ": \"" + words + "\".";
    Error error;
    error.code = Code::provider_failed;
    if (document) error.upstream_code = service_code(*document);
    error.message = fmt::format("The {} service {} answered {}{} {}", role, host, status, said,
                                mend(role, settings, host, status, error.upstream_code));
    return error;
}

}  // namespace repartee::providers
