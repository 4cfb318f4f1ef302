#:property PublishAot=false
#:property InvariantGlobalization=true
#:property TreatWarningsAsErrors=true

// dotnet run packaging/sbom.cs -- --root DIR --rid RID [--base IMAGE] --output FILE
// The bill of materials of the two programs, CycloneDX 1.5 in JSON, from what the last publish was restored from
// (obj/project.assets.json) and the packages as they lie in NuGet's folder: licences and digests are theirs.
// No time and no random number is in it: the same sources and packages give the same bytes.
using System.Security.Cryptography;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Xml.Linq;

string root = Value("--root") ?? ".";
string rid = Value("--rid") ?? throw new ArgumentException("--rid is missing, such as linux-x64");
string output = Value("--output") ?? throw new ArgumentException("--output is missing");
string? image = Value("--base");

var components = new SortedDictionary<string, JsonObject>(StringComparer.Ordinal);
var dependencies = new SortedDictionary<string, SortedSet<string>>(StringComparer.Ordinal);
string version = XDocument.Load(Path.Combine(root, "Directory.Build.props")).Descendants("Version").First().Value;
string product = $"product:corelift@{version}"; // the client is a component of the same name
dependencies[product] = new SortedSet<string>(StringComparer.Ordinal);
foreach ((string project, string program) in (ReadOnlySpan<(string, string)>)[("Corelift.Agent", "corelift-agent"), ("Corelift.Cli", "corelift")])
{
    string reference = $"pkg:generic/{program}@{version}";
    components[reference] = Component("application", reference, program, version, "required", License("Apache-2.0"));
    dependencies[product].Add(reference);
    AddProgram(Path.Combine(root, "src", project, "obj", "project.assets.json"), reference);
}

if (image is not null)
{
    int tag = image.LastIndexOf(':');
    string reference = "container:" + image;
    components[reference] = Component("container", reference, tag > image.LastIndexOf('/') ? image[..tag] : image, tag > image.LastIndexOf('/') ? image[(tag + 1)..] : "", "required", null);
    dependencies[product].Add(reference);
}

var document = new JsonObject
{
    ["bomFormat"] = "CycloneDX",
    ["specVersion"] = "1.5",
    ["serialNumber"] = "",
    ["version"] = 1,
    ["metadata"] = new JsonObject { ["component"] = Component("application", product, "corelift", version, null, License("Apache-2.0")) },
    ["components"] = new JsonArray([.. components.Values]),
    ["dependencies"] = new JsonArray([.. dependencies.Select(pair => new JsonObject
    {
        ["ref"] = pair.Key,
        ["dependsOn"] = new JsonArray([.. pair.Value.Select(name => JsonValue.Create(name))]),
    })]),
};

// A serial number that names the content.
byte[] digest = SHA256.HashData(Encoding.UTF8.GetBytes(document.ToJsonString()));
digest[7] = (byte)((digest[7] & 0x0F) | 0x80); // RFC 9562, version 8; the bytes are in .NET's order
digest[8] = (byte)((digest[8] & 0x3F) | 0x80);
document["serialNumber"] = "urn:uuid:" + new Guid(digest.AsSpan(0, 16));
File.WriteAllText(output, document.ToJsonString(new JsonSerializerOptions { WriteIndented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping }) + "\n");
Console.WriteLine($"{output}: {components.Count} components");
return 0;

string? Value(string name)
{
    int at = Array.IndexOf(args, name);
    return at >= 0 && at + 1 < args.Length ? args[at + 1] : null;
}

void AddProgram(string assetsFile, string program)
{
    if (!File.Exists(assetsFile))
    {
        throw new FileNotFoundException($"{assetsFile} is missing: publish first");
    }

    JsonObject assets = JsonNode.Parse(File.ReadAllText(assetsFile))!.AsObject();
    string[] folders = [.. assets["packageFolders"]!.AsObject().Select(folder => folder.Key)];
    JsonObject target = assets["targets"]!.AsObject().Where(pair => pair.Key.EndsWith("/" + rid, StringComparison.Ordinal)).Select(pair => pair.Value!.AsObject()).FirstOrDefault()
        ?? throw new InvalidOperationException($"{assetsFile} was not restored for {rid}");
    dependencies[program] = new SortedSet<string>(StringComparer.Ordinal);
    Dictionary<string, string> references = target.Where(pair => IsPackage(pair.Value!)).ToDictionary(pair => pair.Key.Split('/')[0], pair => Purl(pair.Key), StringComparer.OrdinalIgnoreCase);
    foreach ((string key, JsonNode? library) in target.Where(pair => IsPackage(pair.Value!)))
    {
        // Analyzers and compilers have no file that ends in a program.
        bool shipped = library!["runtime"] is JsonObject files && files.Any(file => !file.Key.EndsWith("_._", StringComparison.Ordinal));
        string reference = Purl(key);
        AddPackage(key.Split('/')[0], key.Split('/')[1], shipped, folders);
        dependencies[program].Add(reference);
        dependencies.TryAdd(reference, new SortedSet<string>(StringComparer.Ordinal));
        dependencies[reference].UnionWith((library["dependencies"] as JsonObject ?? []).Select(pair => references.GetValueOrDefault(pair.Key)).OfType<string>());
    }

    // The runtime and the framework that are compiled in; the compiler itself stays behind.
    foreach (JsonNode? download in assets["project"]!["frameworks"]!.AsObject().SelectMany(framework => framework.Value!["downloadDependencies"] as JsonArray ?? []))
    {
        string name = download!["name"]!.GetValue<string>();
        string number = download["version"]!.GetValue<string>().Trim('[', ']').Split(',')[0];
        AddPackage(name, number, name.Contains(".App.Runtime.", StringComparison.Ordinal), folders);
        dependencies[program].Add($"pkg:nuget/{name}@{number}");
        dependencies.TryAdd($"pkg:nuget/{name}@{number}", new SortedSet<string>(StringComparer.Ordinal));
    }
}

void AddPackage(string name, string number, bool shipped, string[] folders)
{
    string reference = $"pkg:nuget/{name}@{number}";
    string lower = name.ToLowerInvariant();
    string? folder = folders.Select(path => Path.Combine(path, lower, number)).FirstOrDefault(Directory.Exists)
        ?? throw new DirectoryNotFoundException($"{name} {number} is not in {string.Join(", ", folders)}: restore first");
    XElement metadata = XDocument.Load(Path.Combine(folder, lower + ".nuspec")).Root!.Elements().First(element => element.Name.LocalName == "metadata");
    JsonObject component = Component("library", reference, name, number, shipped ? "required" : "excluded", License(Text(metadata, "license"), Text(metadata, "licenseUrl")));
    byte[] hash = Convert.FromBase64String(File.ReadAllText(Path.Combine(folder, $"{lower}.{number}.nupkg.sha512")).Trim());
    component["hashes"] = new JsonArray(new JsonObject { ["alg"] = "SHA-512", ["content"] = Convert.ToHexStringLower(hash) });
    if (Text(metadata, "authors") is string authors)
    {
        component["author"] = authors;
    }

    // What one of the programs ships is shipped.
    if (!components.TryGetValue(reference, out JsonObject? known) || (shipped && known["scope"]!.GetValue<string>() == "excluded"))
    {
        components[reference] = component;
    }
}

static bool IsPackage(JsonNode library) => library["type"]?.GetValue<string>() == "package";

static string Purl(string key) => $"pkg:nuget/{key.Split('/')[0]}@{key.Split('/')[1]}";

static string? Text(XElement metadata, string name) => metadata.Elements().FirstOrDefault(element => element.Name.LocalName == name)?.Value;

static JsonArray? License(string? expression, string? url = null)
{
    if (expression is { Length: > 0 } && !expression.EndsWith(".txt", StringComparison.OrdinalIgnoreCase) && !expression.EndsWith(".md", StringComparison.OrdinalIgnoreCase))
    {
        return expression.Contains(' ', StringComparison.Ordinal)
            ? new JsonArray(new JsonObject { ["expression"] = expression })
            : new JsonArray(new JsonObject { ["license"] = new JsonObject { ["id"] = expression } });
    }

    // A licence that is a file of the package has no name of SPDX.
    return url is null ? null : new JsonArray(new JsonObject { ["license"] = new JsonObject { ["name"] = expression ?? "see url", ["url"] = url } });
}

static JsonObject Component(string type, string reference, string name, string version, string? scope, JsonArray? licenses)
{
    var component = new JsonObject { ["type"] = type, ["bom-ref"] = reference, ["name"] = name, ["version"] = version };
    if (scope is not null)
    {
        component["scope"] = scope;
    }

    if (licenses is not null)
    {
        component["licenses"] = licenses;
    }

    if (reference.StartsWith("pkg:", StringComparison.Ordinal))
    {
        component["purl"] = reference;
    }

    return component;
}
