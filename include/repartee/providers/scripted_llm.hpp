#pragma once
#include "repartee/providers/roles.hpp"

namespace repartee::providers {

/// Answers with the next line of its script and says so honestly. Stateless: the place in the script is the number of
/// assistant messages so far. The script comes with the request; none: the generic one.
class ScriptedLlm final : public LanguageModel {
public:
    /// Pieces are words with the space behind them. No tokens are counted: no model was used.
    Task<ChatResult> chat(ChatRequest request, ChatSink sink, Stop stop) override;
    std::string_view provider_name() const override { return "scripted"; }
    bool reads_words() const override { return false; }
};

/// The whole answer to these messages. Pure.
std::string scripted_answer(const Script& script, const std::vector<ChatMessage>& messages);

}  // namespace repartee::providers
