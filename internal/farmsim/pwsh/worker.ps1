# Runs calls for the engine, one after the other, each in a fresh runspace of this
# process. A call is a line of JSON from the engine, its output a line of JSON.
param([Parameter(Mandatory = $true)] [string] $Address, [Parameter(Mandatory = $true)] [string] $Token)

Set-StrictMode -Version 3.0
$ErrorActionPreference = 'Stop'

# Returns what a call printed. Whatever it has left behind goes with the runspace.
function Invoke-Call {
    param([object] $Call)

    foreach ($variable in $Call.environment.PSObject.Properties) {
        [Environment]::SetEnvironmentVariable($variable.Name, $variable.Value)
    }
    $stdout = New-Object System.IO.StringWriter
    $stderr = New-Object System.IO.StringWriter
    $console = [Console]::Out
    [Console]::SetOut($stdout)
    $runspace = [runspacefactory]::CreateRunspace([runspace]::DefaultRunspace.InitialSessionState.Clone())
    $shell = [powershell]::Create()
    try {
        $runspace.Open()
        $shell.Runspace = $runspace
        $null = $shell.AddScript($Call.command)
        foreach ($line in $shell.Invoke([string[]] $Call.stdin)) { $stdout.WriteLine($line) }
        foreach ($record in $shell.Streams.Error) { $stderr.WriteLine([string] $record) }
    }
    catch { $stderr.WriteLine($_.Exception.Message) }
    finally {
        [Console]::SetOut($console)
        $shell.Dispose()
        $runspace.Dispose()
    }
    return @{ stdout = $stdout.ToString(); stderr = $stderr.ToString() }
}

$name, $port = $Address.Split(':')
$client = New-Object System.Net.Sockets.TcpClient $name, ([int] $port)
$utf8 = New-Object System.Text.UTF8Encoding $false
$reader = New-Object System.IO.StreamReader $client.GetStream(), $utf8
$writer = New-Object System.IO.StreamWriter $client.GetStream(), $utf8
$writer.NewLine = "`n"
$writer.AutoFlush = $true
$writer.WriteLine($Token)
while ($null -ne ($line = $reader.ReadLine())) {
    $output = Invoke-Call -Call (ConvertFrom-Json -InputObject $line)
    $writer.WriteLine((ConvertTo-Json -InputObject $output -Compress))
}
