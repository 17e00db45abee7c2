#pragma once
#include "repartee/providers/roles.hpp"

namespace repartee::providers {

/// What a conversation says without an AI service: written lines, in order.
struct Script {
    std::vector<std::string> lines;  ///< the first is the greeting; none: a polite generic script
    std::string closing_line;        ///< answers a good-bye; empty: a generic one
    std::string language = "ko";     ///< "ko", else English
};

/// Answers with the next line of its script and says so honestly. Stateless: the place in the script is the number of
/// assistant messages so far.
class ScriptedLlm final : public LanguageModel {
public:
    explicit ScriptedLlm(Script script);

    /// Pieces are words with the space behind them. No tokens are counted: no model was used.
    Task<ChatUsage> chat(ChatRequest request, std::function<void(std::string_view)> sink, Stop stop) override;
    std::string_view provider_name() const override { return "scripted"; }

    /// The whole answer to these messages. Pure.
    std::string answer(const std::vector<ChatMessage>& messages) const;

private:
    Script script_;
};

}  // namespace repartee::providers
