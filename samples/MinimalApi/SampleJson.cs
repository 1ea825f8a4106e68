using System.Text.Json;
using System.Text.Json.Serialization;
using DiskDistributedCache;

namespace MinimalApi;

/// <summary>The answer to an eviction: the tag of which no entry is left.</summary>
internal sealed record Eviction(string EvictedTag);

[JsonSourceGenerationOptions(JsonSerializerDefaults.Web, UseStringEnumConverter = true)]
[JsonSerializable(typeof(DiskCacheStatus))]
[JsonSerializable(typeof(Eviction))]
[JsonSerializable(typeof(IReadOnlyCollection<string>))]
[JsonSerializable(typeof(Report))]
[JsonSerializable(typeof(Strike))]
internal sealed partial class SampleJson : JsonSerializerContext;
