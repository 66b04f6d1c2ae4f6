# How a stub calls the model of the simulated server: one request over HTTP to
# the address in FARMTRUST_MODEL, for the process that FARMTRUST_TOKEN names.

# A client of .NET's own would cost each process a fifth of a second.
function Send-ModelRequest {
    param([string] $Json)

    $body = [System.Text.Encoding]::UTF8.GetBytes($Json)
    $head = "POST / HTTP/1.0`r`nAuthorization: Bearer $env:FARMTRUST_TOKEN`r`nContent-Length: $($body.Length)`r`n`r`n"
    $name, $port = $env:FARMTRUST_MODEL.Split(':')
    $client = New-Object System.Net.Sockets.TcpClient $name, ([int] $port)
    try {
        $stream = $client.GetStream()
        $bytes = [System.Text.Encoding]::ASCII.GetBytes($head) + $body
        $stream.Write($bytes, 0, $bytes.Length)
        $reader = New-Object System.IO.StreamReader $stream, ([System.Text.Encoding]::UTF8)
        $status, $response = $reader.ReadToEnd() -split "`r`n`r`n", 2
    }
    finally { $client.Dispose() }
    if (-not $status.Contains(' 200 ')) { throw "the simulated server responds: $status $response" }
    return $response
}

# What parameters hold, as JSON can say it. Objects of a product keep their
# type, for pipe binds go by it.
function ConvertTo-Wire {
    param([object] $Value)

    if ($Value -is [System.Security.Cryptography.X509Certificates.X509Certificate2]) {
        $file = ''
        if ($null -ne $Value.PSObject.Properties['KeyFile']) { $file = $Value.KeyFile }
        return @{
            '$type' = 'X509Certificate2'; Der = [Convert]::ToBase64String($Value.RawData)
            FriendlyName = [string] $Value.FriendlyName; HasPrivateKey = [bool] $Value.HasPrivateKey; KeyFile = $file
        }
    }
    if ($null -eq $Value -or $Value -is [string] -or $Value -is [bool] -or $Value -is [int]) { return $Value }
    if ($Value -is [switch]) { return $Value.IsPresent }
    if ($Value -is [byte[]]) { return [Convert]::ToBase64String($Value) }
    if ($Value -is [System.Collections.IList]) { return , @(foreach ($item in $Value) { ConvertTo-Wire -Value $item }) }
    if ($Value -isnot [System.Management.Automation.PSCustomObject]) { return [string] $Value }
    $wire = @{ '$type' = $Value.PSObject.TypeNames[0] }
    foreach ($property in $Value.PSObject.Properties) {
        if ($property.Value -is [string]) { $wire[$property.Name] = $property.Value }
    }
    return $wire
}

# A certificate as the store shows it: friendly name, archived mark and private
# key belong to the store's copy, which here is not on this machine.
function New-StoredCertificate {
    param([object] $Wire)

    $certificate = New-Object System.Security.Cryptography.X509Certificates.X509Certificate2 (, [Convert]::FromBase64String($Wire.Der))
    foreach ($name in 'FriendlyName', 'HasPrivateKey', 'KeyFile', 'Archived') {
        Add-Member -InputObject $certificate -MemberType NoteProperty -Name $name -Value $Wire.$name -Force
    }
    return $certificate
}

function New-ProductObject {
    param([object] $Wire)

    $object = New-Object System.Management.Automation.PSObject
    foreach ($property in $Wire.PSObject.Properties) {
        if ($property.Name -eq '$type') { continue }
        $value = ConvertFrom-Wire -Value $property.Value
        if ($property.Value -is [array]) { $value = @($value) }
        Add-Member -InputObject $object -MemberType NoteProperty -Name $property.Name -Value $value
    }
    $object.PSObject.TypeNames.Insert(0, $Wire.'$type')
    # Only what a product's object has: one that is no IDisposable has no Dispose.
    if ($Wire.'$type' -in 'Microsoft.SharePoint.SPSite', 'Microsoft.SharePoint.SPWeb') {
        Add-Member -InputObject $object -MemberType ScriptMethod -Name Dispose -Value { }
    }
    $name = $Wire.'$type'
    Add-Member -InputObject $object -MemberType ScriptMethod -Name GetType -Force -Value {
        [pscustomobject] @{ FullName = $name }
    }.GetNewClosure()
    return $object
}

function ConvertFrom-Wire {
    param([object] $Value)

    if ($Value -is [array]) { return $(foreach ($item in $Value) { ConvertFrom-Wire -Value $item }) }
    if ($Value -isnot [System.Management.Automation.PSCustomObject]) { return $Value }
    switch ($Value.'$type') {
        'X509Certificate2' { return New-StoredCertificate -Wire $Value }
        'DateTime' { return ([datetime] $Value.Value).ToUniversalTime() }
        'Version' { return [version] $Value.Value }
    }
    return New-ProductObject -Wire $Value
}

# An error with the parts that PowerShell shows of the real one. Exceptions that
# only Windows has are told by name.
function New-ModelError {
    param([object] $Said)

    $type = $Said.exception -as [type]
    if ($null -eq $type) { $type = [System.InvalidOperationException] }
    $exception = New-Object $type.FullName $Said.message
    $exception.HResult = $Said.hresult
    if ($type.FullName -ne $Said.exception) {
        $name = $Said.exception
        Add-Member -InputObject $exception -MemberType ScriptMethod -Name GetType -Force -Value {
            [pscustomobject] @{ FullName = $name }
        }.GetNewClosure()
    }
    return New-Object System.Management.Automation.ErrorRecord $exception, $Said.id, $Said.category, $null
}

function Invoke-Model {
    param([string] $Name, [System.Collections.IDictionary] $With = @{}, [bool] $Confirmed = $true)

    $wire = @{}
    foreach ($key in $With.Keys) { $wire[$key] = ConvertTo-Wire -Value $With[$key] }
    $json = ConvertTo-Json -InputObject @{ cmdlet = $Name; confirmed = $Confirmed; parameters = $wire } -Depth 8 -Compress
    $response = ConvertFrom-Json -InputObject (Send-ModelRequest -Json $json)
    foreach ($warning in $response.warnings) { Write-Warning -Message $warning }
    if ($null -ne $response.PSObject.Properties['error']) { throw (New-ModelError -Said $response.error) }
    if ($null -ne $response.result) { return ConvertFrom-Wire -Value $response.result }
}

# What every cmdlet does once its parameters are bound: it prompts if it must,
# which is an error in a non-interactive session. Errors of the products do not
# end a pipeline by themselves: with -ErrorAction SilentlyContinue nothing is
# returned.
function Invoke-Cmdlet {
    param([System.Management.Automation.PSCmdlet] $Cmdlet, [System.Collections.IDictionary] $Bound)

    $command = $Cmdlet.MyInvocation.MyCommand
    $confirmed = $true
    if ($command.Parameters.ContainsKey('Confirm')) {
        try { if (-not $Cmdlet.ShouldProcess($command.Name)) { return } }
        catch { $confirmed = $false }
    }
    $given = @{}
    $common = [System.Management.Automation.PSCmdlet]::CommonParameters + [System.Management.Automation.PSCmdlet]::OptionalCommonParameters
    # What is to be disposed of later changes nothing here; being of any type
    # here, it also binds whatever is piped in.
    $common += 'AssignmentCollection'
    foreach ($key in $Bound.Keys) { if ($key -notin $common) { $given[$key] = $Bound[$key] } }
    try { return Invoke-Model -Name $command.Name -With $given -Confirmed $confirmed }
    catch { if ([string] $Bound['ErrorAction'] -notin 'SilentlyContinue', 'Ignore') { throw } }
}
