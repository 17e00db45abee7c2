#pragma once
#include "chat_json.hpp"
#include "http_endpoint.hpp"

#include <memory>

namespace repartee::providers {

/// `POST {url}/api/chat` of Ollama, streamed as lines of JSON.
class OllamaLlm final : public LanguageModel {
public:
    static Result<std::unique_ptr<LanguageModel>> create(const LlmSettings& settings, const Resources& resources);

    Task<ChatResult> chat(ChatRequest request, ChatSink sink, Stop stop) override;
    std::string_view provider_name() const override { return "ollama"; }

private:
    OllamaLlm(HttpEndpoint endpoint, ChatOptions options, std::size_t reply_bytes_max);

    HttpEndpoint endpoint_;
    ChatOptions options_;
    std::size_t reply_bytes_max_;
};

}  // namespace repartee::providers
