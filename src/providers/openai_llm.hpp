#pragma once
#include "chat_json.hpp"
#include "http_endpoint.hpp"

#include <memory>

namespace repartee::providers {

/// `POST {url}/chat/completions`, streamed: OpenAI, and the many servers that speak alike (vLLM, llama.cpp, LM Studio, Gemini's compatible endpoint
/// …).
class OpenAiLlm final : public LanguageModel {
public:
    static Result<std::unique_ptr<LanguageModel>> create(const LlmSettings& settings, const Resources& resources);

    Task<ChatResult> chat(ChatRequest request, ChatSink sink, Stop stop) override;
    std::string_view provider_name() const override { return "openai"; }

private:
    OpenAiLlm(HttpEndpoint endpoint, ChatOptions options, std::size_t reply_bytes_max);
    Task<net::HttpAnswer> ask(const ChatRequest& request, Stop stop);

    HttpEndpoint endpoint_;
    ChatOptions options_;
    std::size_t reply_bytes_max_;
};

}  // namespace repartee::providers
