# Proves that a service account can sign with a key, by a scheduled task that runs
# once as that account and reports the outcome by its exit code alone.

# The program of the task. It finds the certificate by its thumbprint, which
# replaces the forty zeroes: any other input for the program of a task would have
# to be a file. It signs as Get-LegacySigner does, and only then by CNG. Exit code
# 90 is success, because a program that did nothing ends with 0. 91 means that the
# certificate is not there or the signature did not verify, 92 that the account
# could not sign, 93 that a policy denies full language to the account, although
# the caller has it, and 94 that the account signs by CNG alone.
$FarmTrustProof = {
    if ("$($ExecutionContext.SessionState.LanguageMode)" -ne 'FullLanguage') { exit 93 }
    $ErrorActionPreference = 'Stop'
    $code = 91
    try {
        $sha256 = [System.Security.Cryptography.HashAlgorithmName]::SHA256
        $padding = [System.Security.Cryptography.RSASignaturePadding]::Pkcs1
        $data = [Guid]::NewGuid().ToByteArray()
        $store = New-Object System.Security.Cryptography.X509Certificates.X509Store 'My', 'LocalMachine'
        $store.Open([System.Security.Cryptography.X509Certificates.OpenFlags]::IncludeArchived)
        foreach ($certificate in $store.Certificates) {
            if ($certificate.Thumbprint -ne '0000000000000000000000000000000000000000') { continue }
            $public = [System.Security.Cryptography.X509Certificates.RSACertificateExtensions]::GetRSAPublicKey($certificate)
            try {
                $key = $certificate.PrivateKey
                $info = $key.CspKeyContainerInfo
                if ($info.ProviderType -ne 24) {
                    $csp = New-Object System.Security.Cryptography.CspParameters 24
                    $csp.KeyContainerName = $info.KeyContainerName
                    $csp.KeyNumber = [int] $info.KeyNumber
                    $csp.Flags = [System.Security.Cryptography.CspProviderFlags] 'UseExistingKey, UseMachineKeyStore'
                    $key = New-Object System.Security.Cryptography.RSACryptoServiceProvider $csp
                }
                if ($public.VerifyData($data, $key.SignData($data, $sha256, $padding), $sha256, $padding)) { exit 90 }
            }
            catch { $code = 92 }
            $key = [System.Security.Cryptography.X509Certificates.RSACertificateExtensions]::GetRSAPrivateKey($certificate)
            if ($public.VerifyData($data, $key.SignData($data, $sha256, $padding), $sha256, $padding)) { exit 94 }
        }
        exit $code
    }
    catch { exit 92 }
}

function New-ProofArgument {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [ValidatePattern('^[0-9A-F]{40}$')] [string] $Thumbprint)

    $text = $FarmTrustProof.ToString().Replace('0' * 40, $Thumbprint)
    $encoded = [Convert]::ToBase64String([System.Text.Encoding]::Unicode.GetBytes($text))
    return "-NoLogo -NoProfile -NonInteractive -EncodedCommand $encoded"
}

# Returns the exit code of the proof. The scheduler reports 267011 until a task
# has run, 267045 while it is queued and 267009 while it runs.
# Source: Microsoft, "Task Scheduler Error and Success Constants".
function Wait-Proof {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [string] $TaskName,
        [Parameter(Mandatory = $true)] [datetime] $Deadline
    )

    while ([datetime]::UtcNow -lt $Deadline) {
        $code = [long] (Get-ScheduledTaskInfo -TaskName $TaskName).LastTaskResult
        if ($code -notin 267011, 267045, 267009) { return $code }
        Start-Sleep -Milliseconds 250
    }
    Stop-Script -Id 'ProofUnavailable' -Message 'the task that tests the key did not end within two minutes'
}

# Removes the tasks of proofs whose process was killed. The script of this one holds the
# server's mutex, so no other proof is under way.
function Remove-OldProof {
    [CmdletBinding()]
    param()

    foreach ($task in Get-ScheduledTask -TaskName 'farmtrust-*' -TaskPath '\' -ErrorAction SilentlyContinue) {
        if ($task.TaskName -cmatch '\Afarmtrust-[0-9a-f]{32}\z') { Unregister-ScheduledTask -TaskName $task.TaskName -Confirm:$false }
    }
}

function Assert-KeySignsAs {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [string] $Thumbprint,
        [Parameter(Mandatory = $true)] [string] $Sid
    )

    Remove-OldProof
    $name = 'farmtrust-' + [Guid]::NewGuid().ToString('N')
    $program = "$env:SystemRoot\System32\WindowsPowerShell\v1.0\powershell.exe"
    $action = New-ScheduledTaskAction -Execute $program -Argument (New-ProofArgument -Thumbprint $Thumbprint)
    $principal = New-ScheduledTaskPrincipal -UserId $Sid -LogonType ServiceAccount
    $settings = New-ScheduledTaskSettingsSet -AllowStartIfOnBatteries -ExecutionTimeLimit ([timespan]::FromMinutes(2))
    Register-ScheduledTask -TaskName $name -Action $action -Principal $principal -Settings $settings | Out-Null
    try {
        Start-ScheduledTask -TaskName $name
        $code = Wait-Proof -TaskName $name -Deadline ([datetime]::UtcNow.AddMinutes(2))
    }
    finally { Unregister-ScheduledTask -TaskName $name -Confirm:$false }
    if ($code -eq 94) {
        Stop-Script -Id 'KeyModernOnly' -Message "$Sid signs with the key of certificate $Thumbprint by CNG alone (task result 94)"
    }
    if ($code -eq 91 -or $code -eq 92) {
        Stop-Script -Id 'KeyDoesNotSign' -Message "$Sid cannot sign with the key of certificate $Thumbprint (task result $code)"
    }
    if ($code -ne 90) {
        Stop-Script -Id 'ProofUnavailable' -Message "the task that tests the key ended with result $code"
    }
}
