#include "service_words.hpp"

#include "repartee/providers/text.hpp"

#include <fmt/format.h>

namespace repartee::providers {
namespace {

constexpr std::size_t quoted_characters_max = 300;
constexpr std::size_t code_characters_max = 60;
// Shorter ones are no keys, and could be part of a word.
constexpr std::size_t secret_bytes_min = 4;

/// FastAPI tells what is wrong with a request as a list.
std::string first_detail(const json::object& document)
{
    const auto* list = json::find_array(document, "detail");
    const auto* first = list && !list->empty() ? list->front().if_object() : nullptr;
    if (!first) return {};
    std::string words(json::find_string(*first, "msg").value_or(""));
    const auto* place = json::find_array(*first, "loc");
    if (!words.empty() && place && !place->empty() && place->back().is_string())
        words += ": " + std::string(place->back().get_string());
    return words;
}

}  // namespace

std::string service_words(const json::object& document)
{
    std::string words;
    for (const std::string_view path : {"error.message", "error", "detail", "detail.message", "message"})
        if (const auto found = json::find_string(document, path); found && !found->empty()) {
            words = *found;
            break;
        }
    if (words.empty()) words = first_detail(document);
    // GPT-SoVITS tells the cause beside the message.
    if (const auto cause = json::find_string(document, "Exception")) words += (words.empty() ? "" : ": ") + std::string(*cause);
    return words;
}

std::string service_code(const json::object& document)
{
    for (const std::string_view path : {"error.code", "code"})
        if (const auto found = json::find_string(document, path)) return one_line(*found, code_characters_max);
    return {};
}

std::optional<Error> service_failure(const json::object& document, std::string_view who)
{
    const bool says_so = json::find_string(document, "object") == "error" || json::find_string(document, "type") == "error";
    if (!says_so && !json::find(document, "error")) return std::nullopt;
    const std::string words = one_line(without_keys(service_words(document), {}), quoted_characters_max);
    Error error;
    error.code = Code::provider_failed;
    error.message = words.empty() ? fmt::format("{} broke off with an error. Try again later.", who)
                                  : fmt::format("{} broke off with an error: \"{}\". Try again later.", who, words);
    error.upstream_code = service_code(document);
    return error;
}

std::string without_keys(std::string text, std::string_view key)
{
    if (key.size() >= secret_bytes_min)
        for (std::size_t at = text.find(key); at != std::string::npos; at = text.find(key, at)) text.replace(at, key.size(), "***");
    for (std::size_t at = text.find("sk-"); at != std::string::npos; at = text.find("sk-", at + 3)) {
        const std::size_t end = text.find_first_of(" \"',\r\n", at);
        text.replace(at, end == std::string::npos ? end : end - at, "***");
    }
    return text;
}

}  // namespace repartee::providers
