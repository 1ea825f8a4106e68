using System.Globalization;

namespace DiskDistributedCache.Reliability.Soaking;

/// <summary>Faults of the disk that come and go: errors, no space, writes that are torn, and calls that hang.</summary>
internal sealed class FaultWeather(FaultyFileSystem files, int seed) : IDisposable
{
    private static readonly TimeSpan s_step = TimeSpan.FromMilliseconds(100);
    private static readonly string[] s_kinds = ["none", "write errors", "read errors", "any errors", "sync errors", "no space", "torn writes", "hangs", "rare errors"];

    private readonly Random _random = new(seed);
    private readonly int[] _times = new int[s_kinds.Length];
    private Gate? _gate;
    private int _kind;
    private int _stepsLeft = 20;
    private int _steps;
    private int _stepsOn;

    /// <summary>Per cent of the time in which there was a fault.</summary>
    public double ShareOn => 100.0 * _stepsOn / Math.Max(1, _steps);

    public async Task PassAsync(TimeSpan time)
    {
        for (var passed = TimeSpan.Zero; passed < time; passed += s_step)
        {
            if (--_stepsLeft <= 0)
            {
                Turn();
            }

            _steps++;
            _stepsOn += _kind > 0 ? 1 : 0;
            await Task.Delay(s_step);
        }
    }

    /// <summary>From here on the disk is well.</summary>
    public void End()
    {
        files.Heal();
        _gate?.Open();
        _gate = null;
        _kind = 0;
    }

    public void Dispose() => End();

    public override string ToString() => string.Join(", ", s_kinds.Zip(_times).Skip(1).Where(pair => pair.Second > 0).Select(pair =>
        string.Create(CultureInfo.InvariantCulture, $"{pair.First} {pair.Second} times")));

    /// <summary>Fair for some seconds after each storm, so that the cache recovers in between.</summary>
    private void Turn()
    {
        bool wasOn = _kind > 0;
        End();
        if (wasOn)
        {
            _stepsLeft = _random.Next(10, 60);
            return;
        }

        _kind = _random.Next(1, s_kinds.Length);
        _stepsLeft = _random.Next(2, 25);
        _times[_kind]++;
        Begin();
    }

    private void Begin()
    {
        const string Segments = ".seg";
        switch (s_kinds[_kind])
        {
            case "write errors":
                files.Fail(FileOperation.Write);
                break;
            case "read errors":
                files.Fail(FileOperation.Read, Segments);
                break;
            case "any errors":
                files.Fail(FileOperation.Any);
                break;
            case "sync errors":
                files.Fail(FileOperation.Flush);
                break;
            case "no space":
                files.Fail(FileOperation.Write | FileOperation.SetLength, error: DiskError.NoSpace);
                break;
            case "torn writes":
                files.Tear(_random.Next(1, 4_000), Segments);
                break;
            case "hangs":
                _gate = files.Hold(FileOperation.Read | FileOperation.Write);
                break;
            default:
                files.Fail(FileOperation.Any, skip: _random.Next(20), times: _random.Next(1, 4));
                break;
        }
    }
}
