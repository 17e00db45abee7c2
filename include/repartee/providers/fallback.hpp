#pragma once
#include "repartee/base/clock.hpp"
#include "repartee/base/metrics.hpp"
#include "repartee/providers/roles.hpp"

#include <optional>
#include <string>
#include <vector>

/// The order in which the providers of a role are tried. The next one takes over when one fails before anything of its answer was used, whatever the
/// reason but Code::cancelled and Code::too_large of the request itself; the log says `provider.fallback` (role, from, to, code, message), /metrics
/// counts it. When all fail the first one's error is told. A provider that failed is tried last for a while, so that not every turn waits for it.
namespace repartee::providers {

/// Which of `size` providers next. Pure: time comes in as a parameter.
class Rotation {
public:
    Rotation(std::vector<std::string> sections, milliseconds cooldown);
    /// Indices in the order to try: `preferred` (a section) first, failed ones of late last. Always all of them.
    std::vector<std::size_t> order(std::string_view preferred, Instant now) const;
    void on_failure(std::size_t index, Instant now);
    void on_success(std::size_t index);

private:
    std::vector<std::string> sections_;
    std::vector<std::optional<Instant>> failed_at_;
    milliseconds cooldown_;
};

template <class Role>
struct Named {
    std::string section;
    std::shared_ptr<Role> provider;
};

std::shared_ptr<SpeechToText> chain(std::vector<Named<SpeechToText>> providers, milliseconds cooldown, Metrics& metrics);
std::shared_ptr<LanguageModel> chain(std::vector<Named<LanguageModel>> providers, milliseconds cooldown, Metrics& metrics);
std::shared_ptr<TextToSpeech> chain(std::vector<Named<TextToSpeech>> providers, milliseconds cooldown, Metrics& metrics);

}  // namespace repartee::providers
