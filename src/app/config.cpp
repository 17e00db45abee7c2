#include "repartee/app/config.hpp"

#include "config_check.hpp"
#include "config_table.hpp"
#include "config_toml.hpp"

#include "repartee/base/quoted.hpp"
#include "repartee/net/proxy.hpp"
#include "repartee/net/url.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <map>
#include <set>

namespace repartee::app {
namespace {

constexpr std::string_view config_variable = "REPARTEE_CONFIG";  // names the file; not a setting itself
constexpr std::size_t problems_shown_max = 20;

bool is_at_openai(const std::string& address)
{
    const auto url = net::parse_url(address);
    return url && is_openai_host(url->host);
}

/// Whether requests with this section's key go to OpenAI itself.
bool is_for_openai(const Config::Service& service)
{
    if (service.provider != "auto" && service.provider != "openai") return false;
    return service.url.empty() || is_at_openai(service.url);
}

std::string_view trim(std::string_view text)
{
    const std::size_t first = text.find_first_not_of(" \t\r\n");
    if (first == text.npos) return {};
    return text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
}

// Names come from outside: shown plainly when they are plain.
std::string shown(std::string_view name)
{
    name = utf8_prefix(name, 100);
    return needs_quotes(name) ? quoted(name) : std::string(name);
}

/// One pass over the sources, least first. Goes on past a mistake, so that all are told at once.
class Loader {
public:
    explicit Loader(const ConfigSources& sources) : sources_(sources), settings_(settings_of(config_)) {}
    Loader(const Loader&) = delete;
    Loader& operator=(const Loader&) = delete;

    Result<Config> load();

private:
    Result<void> apply_file();
    void apply_entry(const TomlEntry& entry, const std::string& source);
    void apply_environment();
    void apply_overrides();
    void fill_openai_keys();
    void refuse_unknown_variables();
    Result<void> check_proxies() const;

    std::string variable(const std::string& name) const;
    std::optional<std::string> secret_from_file(const std::string& variable_name);
    Setting* find(std::string_view name);
    std::string nearest_setting(std::string_view section, std::string_view key) const;
    void take(Setting& setting, std::optional<std::string> mistake, std::string_view given, const std::string& source);
    void refuse(std::string problem) { problems_.push_back(std::move(problem)); }
    Error refusal() const;

    const ConfigSources& sources_;
    Config config_;
    std::vector<Setting> settings_;
    std::map<std::string, std::string, std::less<>> source_of_;
    std::vector<std::string> problems_;
};

Result<Config> Loader::load()
{
    const auto file = apply_file();
    if (!file) return file.error();
    apply_environment();
    apply_overrides();
    fill_openai_keys();
    if (!problems_.empty()) return refusal();

    problems_ = cross_check(config_, [&](std::string_view name) {
        const auto source = source_of_.find(name);
        return source == source_of_.end() ? std::string("default") : source->second;
    });
    if (const auto proxies = check_proxies(); !proxies) refuse(proxies.error().message);
    if (!problems_.empty()) return refusal();
    return config_;
}

Error Loader::refusal() const
{
    const std::size_t shown_count = std::min(problems_.size(), problems_shown_max);
    std::string message =
        fmt::format("{}", fmt::join(problems_.begin(), problems_.begin() + static_cast<std::ptrdiff_t>(shown_count), "\n"));
    if (shown_count < problems_.size()) message += fmt::format("\nand {} more.", problems_.size() - shown_count);
    return Error{Code::invalid_value, std::move(message)};
}

Result<void> Loader::apply_file()
{
    if (sources_.file.empty()) return {};
    const auto entries = read_toml(sources_.file);
    if (!entries) return entries.error();
    std::set<std::string> sections;
    for (const Setting& setting : settings_) sections.insert(setting.section);
    const std::vector<std::string> section_names(sections.begin(), sections.end());
    for (const TomlEntry& entry : *entries) {
        const std::string source = fmt::format("{}:{}", sources_.file, entry.line);
        if (!entry.section) {
            refuse(fmt::format("{}: {} stands outside of a section. The nearest setting is {}.", source, shown(*entry.key),
                               nearest_setting("", *entry.key)));
            continue;
        }
        if (!sections.contains(*entry.section)) {
            if (!entry.key)
                refuse(fmt::format("{}: unknown section [{}]. The nearest is [{}].", source, shown(*entry.section),
                                   nearest(*entry.section, section_names)));
            continue;
        }
        if (entry.key) apply_entry(entry, source);
    }
    return {};
}

void Loader::apply_entry(const TomlEntry& entry, const std::string& source)
{
    const std::string name = *entry.section + "." + *entry.key;
    Setting* setting = find(name);
    if (!setting)
        return refuse(
            fmt::format("{}: unknown key {}. The nearest is {}.", source, shown(name), nearest_setting(*entry.section, *entry.key)));
    if (!entry.value) return take(*setting, "expected " + setting->accepted(), entry.type, source);
    take(*setting, setting->assign(*entry.value), to_toml(*entry.value), source);
}

void Loader::apply_environment()
{
    if (!sources_.environment) return;
    refuse_unknown_variables();
    for (Setting& setting : settings_) {
        const std::string name = setting.environment_name();
        const char* direct = sources_.environment(name.c_str());
        if (direct) take(setting, setting.assign_text(direct), quoted(direct), name);
        if (!setting.secret || variable(name + "_FILE").empty()) continue;
        if (direct) {
            refuse(fmt::format("{0} and {0}_FILE are both set. Keep one of them.", name));
            continue;
        }
        if (const auto secret = secret_from_file(name + "_FILE")) take(setting, setting.assign_text(*secret), "", name + "_FILE");
    }
}

void Loader::apply_overrides()
{
    for (const auto& [name, text] : sources_.overrides) {
        if (Setting* setting = find(name)) {
            take(*setting, setting->assign_text(text), quoted(text), "command line");
            continue;
        }
        const std::size_t dot = name.find('.');
        const std::string_view section = dot == name.npos ? std::string_view{} : std::string_view(name).substr(0, dot);
        const std::string_view key = dot == name.npos ? std::string_view(name) : std::string_view(name).substr(dot + 1);
        refuse(fmt::format("command line: unknown setting {}. The nearest is {}.", shown(name), nearest_setting(section, key)));
    }
}

void Loader::fill_openai_keys()
{
    if (!sources_.environment) return;
    std::string source = "OPENAI_API_KEY";
    std::string key(trim(variable(source)));
    if (!variable("OPENAI_API_KEY_FILE").empty()) {
        if (!key.empty()) return refuse("OPENAI_API_KEY and OPENAI_API_KEY_FILE are both set. Keep one of them.");
        source = "OPENAI_API_KEY_FILE";
        key = secret_from_file(source).value_or("");
    }
    if (key.empty()) return;
    const auto fill = [&](const std::string& name) {
        Setting& setting = *find(name);
        if (setting.value() == SettingValue(std::string())) take(setting, setting.assign_text(key), "", source);
    };
    fill("realtime.api_key");
    // A key never goes to a host that it was not meant for.
    const bool has_it_from_realtime = is_at_openai(config_.realtime.url);
    if (!has_it_from_realtime && is_at_openai(config_.realtime_2.url)) fill("realtime_2.api_key");
    if (!has_it_from_realtime && is_at_openai(config_.realtime_3.url)) fill("realtime_3.api_key");
    const Config::Service* const services[] = {&config_.stt, &config_.stt_2, &config_.stt_3, &config_.llm, &config_.llm_2,
                                               &config_.llm_3, &config_.tts, &config_.tts_2, &config_.tts_3};
    const char* const sections[] = {"stt", "stt_2", "stt_3", "llm", "llm_2", "llm_3", "tts", "tts_2", "tts_3"};
    for (std::size_t i = 0; i < std::size(services); ++i)
        if (is_for_openai(*services[i])) fill(fmt::format("{}.api_key", sections[i]));
}

Result<void> Loader::check_proxies() const
{
    const auto is_embedded = [](const Config::Link& link) { return link.provider == "embedded"; };
    bool all_embedded = true;
    for (const std::string_view role : {"stt", "llm", "tts"}) all_embedded = all_embedded && std::ranges::all_of(config_.chain(role), is_embedded);
    if (all_embedded || !sources_.environment || config_.http_client.proxy == "none") return {};
    if (const auto rules = net::ProxyRules::from_environment(sources_.environment); !rules)
        return Error{Code::invalid_value, rules.error().message + " Or set http_client.proxy = \"none\" to go without a proxy."};
    return {};
}

void Loader::refuse_unknown_variables()
{
    std::vector<std::string> known{std::string(config_variable)};
    for (const Setting& setting : settings_) {
        known.push_back(setting.environment_name());
        if (setting.secret) known.push_back(setting.environment_name() + "_FILE");
    }
    for (const std::string& name : sources_.environment_names) {
        if (std::ranges::find(known, name) != known.end()) continue;
        refuse(fmt::format("environment: unknown variable {}. The nearest is {}.", shown(name), nearest(name, known)));
    }
}

std::string Loader::variable(const std::string& name) const
{
    const char* value = sources_.environment(name.c_str());
    return value ? value : "";
}

std::optional<std::string> Loader::secret_from_file(const std::string& variable_name)
{
    const auto text = read_small_file(variable(variable_name));
    if (!text) {
        refuse(fmt::format("{}: {}", variable_name, text.error().message));
        return std::nullopt;
    }
    const std::string_view secret = trim(*text);
    if (secret.empty()) {
        refuse(fmt::format("{}: the file {} is empty. Put the value into it.", variable_name, variable(variable_name)));
        return std::nullopt;
    }
    return std::string(secret);
}

Setting* Loader::find(std::string_view name)
{
    const auto found = std::ranges::find(settings_, name, &Setting::name);
    return found == settings_.end() ? nullptr : &*found;
}

std::string Loader::nearest_setting(std::string_view section, std::string_view key) const
{
    // The right key in the wrong section is nearer than any spelling.
    const auto same_key = std::ranges::find(settings_, key, &Setting::key);
    if (same_key != settings_.end()) return same_key->name();
    std::vector<std::string> same_section, all;
    for (const Setting& setting : settings_) {
        all.push_back(section.empty() ? setting.key : setting.name());
        if (setting.section == section) same_section.push_back(setting.name());
    }
    const std::string name = section.empty() ? std::string(key) : fmt::format("{}.{}", section, key);
    const std::string best(nearest(name, same_section.empty() ? all : same_section));
    if (!section.empty()) return best;
    return std::ranges::find(settings_, best, &Setting::key)->name();
}

void Loader::take(Setting& setting, std::optional<std::string> mistake, std::string_view given, const std::string& source)
{
    source_of_[setting.name()] = source;
    if (!mistake) return;
    const std::string_view visible = setting.secret ? "***" : utf8_prefix(given, 200);
    refuse(fmt::format("{}: {} = {} is not accepted: {}.", source, setting.name(), visible, *mistake));
}

}  // namespace

std::string Config::effective_upstream() const
{
    if (realtime.upstream != "auto") return realtime.upstream;
    return !realtime.api_key.empty() || realtime.url != Realtime{}.url ? "openai" : "local";
}

std::string Config::effective_model() const { return effective_upstream() == "local" ? local.model : realtime.model; }

realtime::TurnDetection Config::turn_detection() const
{
    using Type = realtime::TurnDetection::Type;
    realtime::TurnDetection detection;
    if (conversation.turn_detection == "none") {
        detection.type = Type::none;
        return detection;
    }
    detection.type = conversation.turn_detection == "semantic_vad" ? Type::semantic_vad : Type::server_vad;
    detection.threshold = conversation.vad_threshold;
    detection.prefix_padding_ms = conversation.vad_prefix_padding_ms;
    detection.silence_duration_ms = conversation.vad_silence_duration_ms;
    detection.eagerness = conversation.semantic_eagerness;
    return detection;
}

std::vector<Config::Link> Config::chain(std::string_view role) const
{
    const bool thinks = role == "llm", hears = role == "stt";
    const Service& first = thinks ? static_cast<const Service&>(llm) : hears ? stt : static_cast<const Service&>(tts);
    const Service& second = thinks ? llm_2 : hears ? stt_2 : static_cast<const Service&>(tts_2);
    const Service& third = thinks ? llm_3 : hears ? stt_3 : static_cast<const Service&>(tts_3);
    std::vector<Link> links{{std::string(role), &first, first.provider}};
    if (first.provider == "auto") {
        const bool reachable = !first.api_key.empty() || !first.url.empty();
        links.front().provider = reachable && (!thinks || !first.model.empty()) ? "openai" : "embedded";
    }
    if (!second.provider.empty()) links.push_back({fmt::format("{}_2", role), &second, second.provider});
    if (!third.provider.empty()) links.push_back({fmt::format("{}_3", role), &third, third.provider});
    return links;
}

Result<Config> load_config(const ConfigSources& sources) { return Loader(sources).load(); }

}  // namespace repartee::app
