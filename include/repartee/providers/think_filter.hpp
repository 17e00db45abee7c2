#pragma once
#include <string>
#include <string_view>

namespace repartee::providers {

/// Takes <think>…</think> (and <thinking>) out of text that comes in deltas; a tag may be cut anywhere. An unclosed one swallows the rest. White
/// space behind a closed one at the start of the answer goes with it. Pure.
class ThinkFilter {
public:
    /// What of it may be shown now; valid until the next call.
    std::string_view push(std::string_view delta);
    /// The end: what was held back and turned out to be no tag.
    std::string_view finish();

private:
    void leave_thought();

    std::string held_, out_;
    bool inside_ = false, anything_out_ = false, trim_start_ = false;
};

}  // namespace repartee::providers
